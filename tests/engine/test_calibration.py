"""Precise BatchNorm: what an evaluation estimates from training batches, against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from running import fingerprint
from toy import Toy

from garden.core.calibration import BatchStatistics, Calibration
from garden.core.feed import Feed
from garden.engine.experiment import Phase
from garden.engine.trainer import Trainer

BATCHES = 3


class Calibrated(Toy):
    """The toy with batch normalisation whose statistics are estimated for an evaluation."""

    batches = BATCHES

    def __init__(self, **settings):
        super().__init__(normalization=keras.layers.BatchNormalization, **settings)

    def calibration(self):
        statistics = BatchStatistics(self.model)
        return Calibration(
            statistics.variables,
            lambda batch: statistics.of(lambda: self.model(batch['x'], training=True)),
            self.batches,
        )


def trained(strategy, steps=4, **settings):
    with strategy.scope():
        trainer = Trainer(Calibrated(**settings), strategy, 0)
    trainer.open_training_data()
    trainer.train(tf.constant(steps))
    return trainer


def values(trainer):
    return [variable.numpy() for variable in trainer.task.model.variables]


def reference(task, step, replicas):
    """Means over batches and replicas of the mean and variance that the first layer puts out."""
    kernel, bias = (v.numpy() for v in task.model.layers[0].variables)
    data = iter(task.train_data(Feed(seed=0, step=step)).unbatch().batch(8).as_numpy_iterator())
    means, variances = [], []
    for _ in range(BATCHES):
        for part in np.split(next(data)['x'], replicas):
            hidden = part @ kernel + bias
            means.append(hidden.mean(0))
            variances.append(hidden.var(0))
    return np.mean(means, 0), np.mean(variances, 0)


@pytest.mark.parametrize('replicas', [1, 2])
def test_the_statistics_are_the_means_of_those_of_the_next_batches(
    one_device, two_replicas, replicas
):
    trainer = trained(one_device if replicas == 1 else two_replicas)
    norm = trainer.task.model.layers[1]
    mean, variance = reference(trainer.task, 4, replicas)
    before = values(trainer)
    with trainer.evaluation_weights():
        np.testing.assert_allclose(norm.moving_mean.numpy(), mean, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(norm.moving_variance.numpy(), variance, rtol=1e-4)
        np.testing.assert_array_equal(trainer.task.model.layers[0].kernel.numpy(), before[0])
    assert np.abs(norm.moving_mean.numpy() - mean).max() > 1e-3
    for old, new in zip(before, values(trainer), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_convolution_has_the_unbiased_variance_of_pycls(one_device):
    images = np.random.default_rng(0).normal(2, 3, (4, 5, 5, 2)).astype(np.float32)
    model = keras.Sequential([keras.layers.BatchNormalization(momentum=0.9)])
    model.build([None, 5, 5, 2])
    statistics = BatchStatistics(model)
    with one_device.scope():
        mean, variance = statistics.of(lambda: model(images, training=True))
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(variance, images.var((0, 1, 2), ddof=1), rtol=1e-4)


def test_frozen_layers_keep_their_statistics():
    model = keras.Sequential([keras.layers.BatchNormalization(), keras.layers.BatchNormalization()])
    model.build([None, 3])
    model.layers[0].trainable = False
    assert [v.ref() for v in BatchStatistics(model).variables] == [
        v.ref() for v in (model.layers[1].moving_mean, model.layers[1].moving_variance)
    ]


def test_the_statistics_are_those_of_the_averaged_weights(one_device):
    trainer = trained(one_device, average_decay=0.9)
    norm = trainer.task.model.layers[1]
    with trainer.evaluation_weights():
        mean, _ = reference(trainer.task, 4, 1)
        np.testing.assert_allclose(norm.moving_mean.numpy(), mean, rtol=1e-4, atol=1e-6)


def test_few_steps_evaluate_better_with_precise_statistics(one_device):
    """Moving statistics of momentum 0.99 know nothing after a few steps."""

    class Precise(Calibrated):
        batches = 16

    errors = []
    for task in (Precise, lambda: Toy(normalization=keras.layers.BatchNormalization)):
        with one_device.scope():
            trainer = Trainer(task(), one_device, 0)
        trainer.open_training_data()
        trainer.open_evaluation_data()
        trainer.train(tf.constant(20))
        with trainer.evaluation_weights():
            errors.append(float(trainer.evaluate(tf.constant(-1))['error']))
    assert errors[0] < 0.95 * errors[1]


@pytest.mark.parametrize('replicas', [1, 2])
def test_a_resumed_run_evaluates_as_the_uninterrupted(one_device, two_replicas, runner, replicas):
    strategy = one_device if replicas == 1 else two_replicas

    def phase(steps):
        return Phase(Calibrated, steps, steps_per_loop=2, eval_interval=4, checkpoint_interval=2)

    (straight,), (trainer,) = runner(strategy, phase(8), folder='straight')
    runner(strategy, phase(6), folder='resumed')
    (resumed,), trainers = runner(strategy, phase(8), folder='resumed')
    assert resumed.metrics == straight.metrics
    # The run of six steps evaluated at its end too: nothing of that is left.
    assert fingerprint(trainers[-1]) == fingerprint(trainer)
