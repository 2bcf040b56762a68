"""A task that a TPU could not run is told so here, with the op, and one that it could passes."""

import pytest
import tensorflow as tf
import tf_keras as keras
from toy import Toy

from garden.core.errors import UserError
from garden.engine import tpu_safety
from garden.engine.trainer import Trainer


def identity(x):
    return x


def through_python(batch, call=tf.py_function):
    x = call(identity, [batch['x']], tf.float32)
    return {**batch, 'x': tf.ensure_shape(x, batch['x'].shape)}


def through_text(batch):
    return {**batch, 'x': tf.strings.to_number(tf.strings.as_string(batch['x']))}


def positive_ones(batch):
    return {name: value[batch['x'][:, 0] > 0] for name, value in batch.items()}


class Altered(Toy):
    """The toy, its steps and its data passed through functions of a test's choice."""

    def __init__(self, train=identity, evaluate=identity, data=identity, eval_data=identity, **toy):
        super().__init__(**toy)
        self._train, self._evaluate = train, evaluate
        self._data, self._eval_data = data, eval_data

    def train_data(self, feed):
        return self._data(super().train_data(feed))

    def eval_data(self, feed):
        return self._eval_data(super().eval_data(feed))

    def train_step(self, batch, seed):
        return super().train_step(self._train(batch), seed)

    def eval_step(self, batch, seed):
        return super().eval_step(self._evaluate(batch), seed)


class Uncompiled(Toy):
    compiled = False


def check(make):
    strategy = tpu_safety.Rehearsal()
    with strategy.scope():
        trainer = Trainer(make(), strategy, seed=0)
    tpu_safety.check(trainer)
    return trainer


def refusal(make):
    with pytest.raises(UserError) as caught:
        check(make)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_a_task_of_tensors_alone_passes():
    trainer = check(
        lambda: Toy(
            dropout=0.1,
            normalization=keras.layers.BatchNormalization,
            micro_batches=2,
            average_decay=0.9,
            optimizer=keras.optimizers.Adam,
            noise=True,
        )
    )
    for slot in trainer.task.optimizer.variables[1:]:
        assert not tf.reduce_any(slot != 0), 'a step was taken'


@pytest.mark.parametrize(
    ('call', 'op'), [(tf.py_function, 'EagerPyFunc'), (tf.numpy_function, 'PyFunc')]
)
def test_python_is_found_in_a_step_and_in_a_pipeline(call, op):
    def through(batch):
        return through_python(batch, call)

    def in_a_branch(batch):
        return tf.cond(tf.reduce_sum(batch['x']) > 0, lambda: through(batch), lambda: batch)

    def in_a_pipeline_of_a_pipeline(data):
        return data.flat_map(lambda batch: tf.data.Dataset.from_tensors(batch).map(through))

    python = f'calls back into Python by {op}'
    assert f'training step {python}' in refusal(lambda: Altered(train=through))
    assert f'training step {python}' in refusal(lambda: Altered(train=in_a_branch))
    assert f'evaluation step {python}' in refusal(lambda: Altered(evaluate=through))
    assert f'training data {python}' in refusal(
        lambda: Altered(data=lambda data: in_a_pipeline_of_a_pipeline(data).repeat())
    )
    assert f'evaluation data {python}' in refusal(
        lambda: Altered(eval_data=lambda data: data.map(through))
    )


def test_a_shape_that_is_not_known_beforehand_is_found():
    partial = 'holds TensorSpec(shape=(None,'

    def with_a_rest(data):
        return data.unbatch().batch(8)

    assert f'training data {partial}' in refusal(lambda: Altered(data=with_a_rest))
    assert f'evaluation data {partial}' in refusal(lambda: Altered(eval_data=with_a_rest))
    ragged = refusal(lambda: Altered(data=lambda data: data.ragged_batch(2)))
    assert 'training data holds' in ragged


def test_a_shape_that_depends_on_values_is_found():
    """XLA for CPUs compiles it, padded; a TPU may not."""
    found = 'training step has Where'
    assert found in refusal(lambda: Altered(train=positive_ones))


def test_an_op_that_xla_does_not_have_is_named():
    found = "cannot be compiled by XLA: AsString ('AsString')"
    assert f'training step {found}' in refusal(lambda: Altered(train=through_text))
    assert f'evaluation step {found}' in refusal(lambda: Altered(evaluate=through_text))


def test_plain_python_is_refused():
    assert 'runs as plain Python' in refusal(Uncompiled)
