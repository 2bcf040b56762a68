"""What the trainer promises every task: replicas, scalars, seeds, averages."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from toy import Toy

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.engine.experiment import Phase
from garden.engine.trainer import Trainer


def train(strategy, steps=10, seed=0, jit_compile=False, **toy):
    with strategy.scope():
        trainer = Trainer(Toy(**toy), strategy, seed, jit_compile)
    trainer.open_training_data()
    scalars = trainer.train(tf.constant(steps))
    return trainer, scalars


def weights(trainer):
    return [v.numpy() for v in trainer.task.model.variables]


def assert_close(left, right, tolerance):
    for a, b in zip(weights(left), weights(right), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def test_two_replicas_take_the_steps_of_one(one_device, two_replicas):
    one, scalars_one = train(one_device)
    two, scalars_two = train(two_replicas)
    assert_close(one, two, 1e-6)
    np.testing.assert_allclose(scalars_one['loss'], scalars_two['loss'], rtol=1e-6)


def test_clipping_acts_on_the_gradient_of_the_whole_batch(one_device, two_replicas):
    def clipped():
        return keras.optimizers.SGD(0.05, global_clipnorm=0.5)

    one, _ = train(one_device, optimizer=clipped)
    two, _ = train(two_replicas, optimizer=clipped)
    free, _ = train(one_device, optimizer=lambda: keras.optimizers.SGD(0.05))
    assert_close(one, two, 1e-6)
    assert np.abs(weights(one)[0] - weights(free)[0]).max() > 1e-3


def test_the_norm_of_the_gradient_is_reported(one_device, two_replicas):
    for strategy in (one_device, two_replicas):
        with strategy.scope():
            trainer = Trainer(Toy(), strategy, 0, gradient_norms=True)
            other = Toy()
        trainer.open_training_data()
        batches = (b for b in other.train_data(Feed(seed=0)))
        for _ in range(2):
            whole = next(batches)
            with tf.GradientTape() as tape:
                predicted = trainer.task.model(whole['x'], training=True)
                loss = tf.reduce_mean(tf.square(predicted - whole['y']))
            gradients = tape.gradient(loss, trainer.task.model.trainable_variables)
            flat = np.concatenate([gradient.numpy().ravel() for gradient in gradients])
            scalars = trainer.train(tf.constant(1))
            np.testing.assert_allclose(scalars['gradient_norm'], np.linalg.norm(flat), rtol=1e-4)


def test_norms_that_nobody_measures_are_refused(one_device):
    class ByItself(Toy):
        def train_step(self, batch, seed):
            del seed
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(self.model(batch['x']) - batch['y']))
            variables = self.model.trainable_variables
            self.optimizer.apply_gradients(
                zip(tape.gradient(loss, variables), variables, strict=True)
            )
            return {'loss': loss}

    with one_device.scope():
        trainer = Trainer(ByItself(), one_device, 0, gradient_norms=True)
    trainer.open_training_data()
    with pytest.raises(UserError, match='gradient_norms: ByItself applies its gradients'):
        trainer.train(tf.constant(1))


def test_micro_batches_take_the_step_of_the_whole_batch(one_device, two_replicas):
    whole, scalars = train(one_device)
    parts, scalars_of_parts = train(one_device, micro_batches=4)
    assert_close(whole, parts, 1e-6)
    np.testing.assert_allclose(scalars['loss'], scalars_of_parts['loss'], rtol=1e-5)
    both, _ = train(two_replicas, micro_batches=2)
    assert_close(whole, both, 1e-6)


@pytest.mark.parametrize('policy', ['mixed_bfloat16', 'mixed_float16'])
def test_mixed_precision_trains_and_keeps_float32_weights(one_device, policy):
    keras.mixed_precision.set_global_policy(policy)
    trainer, _ = train(one_device, steps=1)
    before = float(trainer.train(tf.constant(1))['loss'])
    after = float(trainer.train(tf.constant(60))['loss'])
    assert after < before
    assert all(v.dtype == tf.float32 for v in trainer.task.model.variables)
    scaled = isinstance(trainer.task.optimizer, keras.mixed_precision.LossScaleOptimizer)
    assert scaled == (policy == 'mixed_float16')


def test_xla_takes_the_same_steps(one_device):
    plain, _ = train(one_device)
    compiled, _ = train(one_device, jit_compile=True)
    assert_close(plain, compiled, 1e-5)


def test_xla_on_several_replicas_is_refused(two_replicas):
    with pytest.raises(UserError, match='jit_compile'):
        train(two_replicas, jit_compile=True)


def test_the_seed_decides_noise_and_dropout(one_device):
    first, _ = train(one_device, noise=True, dropout=0.5)
    again, _ = train(one_device, noise=True, dropout=0.5)
    other, _ = train(one_device, noise=True, dropout=0.5, seed=1)
    for a, b in zip(weights(first), weights(again), strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(weights(first)[0], weights(other)[0])


def test_dropout_draws_anew_in_each_step_and_on_each_replica(two_replicas):
    class Masks(Toy):
        train_scalars = ('kept',)

        def train_step(self, batch, seed):
            del seed
            layer = self.model.layers[-2]
            ones = layer(tf.ones([1, 512]), training=True)
            code = tf.reduce_sum(tf.where(ones > 0, tf.range(512.0), 0.0))
            context = tf.distribute.get_replica_context()
            self.seen.assign(
                tf.tensor_scatter_nd_update(self.seen, [[context.replica_id_in_sync_group]], [code])
            )
            return {'kept': code}

    with two_replicas.scope():
        task = Masks(dropout=0.5)
        task.seen = tf.Variable(
            tf.zeros([2]),
            trainable=False,
            synchronization=tf.VariableSynchronization.ON_READ,
            aggregation=tf.VariableAggregation.SUM,
        )
        trainer = Trainer(task, two_replicas, 0)
    trainer.open_training_data()
    codes = []
    for _ in range(3):
        trainer.train(tf.constant(1))
        codes += list(task.seen.numpy())
    assert len(set(codes)) == 6


@pytest.mark.parametrize('replicas', [1, 2])
def test_evaluation_counts_every_example_once(one_device, two_replicas, replicas):
    strategy = one_device if replicas == 1 else two_replicas
    with strategy.scope():
        trainer = Trainer(Toy(), strategy, 0)
    trainer.open_evaluation_data()
    metrics = trainer.evaluate(tf.constant(-1))
    task = trainer.task
    errors = np.abs(task.model(task.x[:13]).numpy() - task.y[:13])
    assert metrics['count'] == 13
    np.testing.assert_allclose(metrics['worst'], errors.max(), rtol=1e-6)
    np.testing.assert_allclose(metrics['error'], errors.mean(), rtol=1e-6)


@pytest.mark.parametrize('replicas', [1, 2])
def test_the_average_follows_its_formula_and_serves_the_evaluation(
    one_device, two_replicas, replicas
):
    strategy = one_device if replicas == 1 else two_replicas
    with strategy.scope():
        trainer = Trainer(
            Toy(average_decay=0.8, normalization=keras.layers.BatchNormalization), strategy, 0
        )
    trainer.open_training_data()
    expected = weights(trainer)
    for _ in range(5):
        trainer.train(tf.constant(1))
        expected = [0.8 * e + 0.2 * w for e, w in zip(expected, weights(trainer), strict=True)]
    before = weights(trainer)
    with trainer.evaluation_weights():
        for e, w in zip(expected, weights(trainer), strict=True):
            np.testing.assert_allclose(w, e, rtol=1e-5, atol=1e-6)
    for b, w in zip(before, weights(trainer), strict=True):
        np.testing.assert_array_equal(b, w)


def test_control_flow_around_replica_steps(one_device, two_replicas):
    class Alternating(Toy):
        train_scalars = ('loss', 'second')

        def step(self, run, batch, step):
            run(self.train_step, batch)
            if step % 4 == 0:
                run(self.second, batch)

        def second(self, batch, seed):
            self.count.assign_add(1)
            return {'second': tf.reduce_mean(batch['y'])}

    for strategy in (one_device, two_replicas):
        with strategy.scope():
            task = Alternating()
            task.count = tf.Variable(0, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
            trainer = Trainer(task, strategy, 0)
        trainer.open_training_data()
        trainer.train(tf.constant(12))
        assert int(task.count.numpy()) == 3


def test_a_system_without_gradient_tape_runs_as_plain_python(one_device, two_replicas):
    class Counter(Toy):
        compiled = False

        def train_step(self, batch, seed):
            self.calls = getattr(self, 'calls', 0) + 1  # A compiled step would do this once.
            return {'loss': np.float32(self.calls)}

    with one_device.scope():
        trainer = Trainer(Counter(), one_device, 0)
    trainer.open_training_data()
    assert float(trainer.train(tf.constant(5))['loss']) == 3.0
    with pytest.raises(UserError, match='one device only'), two_replicas.scope():
        Trainer(Counter(), two_replicas, 0)


class PretendedTpu(tf.distribute.OneDeviceStrategy):
    """One core of a TPU, as far as the trainer asks."""

    __class__ = tf.distribute.TPUStrategy


def test_a_tpu_takes_no_plain_python_and_no_float64():
    class Uncompiled(Toy):
        compiled = False

    strategy = PretendedTpu('/cpu:0')
    with strategy.scope():
        with pytest.raises(UserError, match='this run has a TPU'):
            Trainer(Uncompiled(), strategy, 0)
        with pytest.raises(UserError, match='a TPU compiles anyway'):
            Trainer(Toy(), strategy, 0, jit_compile=True)
        trainer = Trainer(Toy(), strategy, 0)
    trainer.open_evaluation_data()
    assert trainer.evaluate(tf.constant(1))['error'].dtype == tf.float32


def test_a_scalar_that_is_not_declared_is_named(one_device):
    class Talkative(Toy):
        def train_step(self, batch, seed):
            return {**super().train_step(batch, seed), 'accuracy': 0.0}

    with one_device.scope():
        trainer = Trainer(Talkative(), one_device, 0)
    trainer.open_training_data()
    with pytest.raises(UserError, match="Talkative returned a training scalar 'accuracy'"):
        trainer.train(tf.constant(1))


def test_training_data_that_ends_is_refused(one_device):
    class Finite(Toy):
        def train_data(self, feed):
            return super().train_data(feed).take(3)

    with one_device.scope():
        trainer = Trainer(Finite(), one_device, 0)
    with pytest.raises(UserError, match='ends after 3 batches'):
        trainer.open_training_data()
        trainer.train(tf.constant(1))


def test_synchronised_statistics_make_replicas_equal(one_device, two_replicas):
    def synchronised():
        return keras.layers.BatchNormalization(synchronized=True)

    one, _ = train(one_device, normalization=synchronised)
    two, _ = train(two_replicas, normalization=synchronised)
    assert_close(one, two, 1e-5)


def test_the_phase_of_a_toy_learns(one_device, runner):
    (result,), _ = runner(one_device, Phase(task=Toy, train_steps=300, eval_interval=300))
    assert result.metrics['error'] < 0.05
