"""What holds for every registered model, through the smallest experiment that uses it."""

import numpy as np
import pytest
import tensorflow as tf
from catalogue import MODELS, experiment_with


@pytest.fixture(params=MODELS)
def networks(request, one_device, small):
    """The networks of a task that uses the model, by name: each with specs of its inputs."""
    _, trainers, _ = small(experiment_with(request.param), one_device, mode='describe')
    return trainers[0].task.models()


def inputs(specs, batch):
    """Returns inputs of a batch size, the same ones in each call."""

    def value(spec):
        shape = [batch, *spec.shape[1:]]
        if spec.dtype.is_integer:
            return tf.zeros(shape, spec.dtype)
        return tf.cast(tf.random.stateless_normal(shape, [1, 2]), spec.dtype)

    return tf.nest.map_structure(value, specs)


def flat(outputs):
    return [tf.cast(part, tf.float32) for part in tf.nest.flatten(outputs)]


def test_it_takes_batches_of_any_size(networks):
    for model, *specs in networks.values():
        for batch in (1, 3):
            for part in flat(model(*inputs(specs, batch), training=False)):
                assert part.shape[0] == batch
                assert np.isfinite(part.numpy()).all()


def test_every_trainable_variable_gets_a_gradient(networks):
    for model, *specs in networks.values():
        with tf.GradientTape() as tape:
            outputs = flat(model(*inputs(specs, 3), training=True))
            loss = tf.add_n([tf.reduce_sum(tf.square(part)) for part in outputs])
        gradients = tape.gradient(loss, model.trainable_variables)
        assert model.trainable_variables
        without = [
            variable.name
            for variable, gradient in zip(model.trainable_variables, gradients, strict=True)
            if gradient is None
        ]
        assert without == []


def test_it_is_saved_and_restored_whole(networks, tmp_path):
    for name, (model, *specs) in networks.items():
        batch = inputs(specs, 2)
        before = flat(model(*batch, training=False))
        path = tf.train.Checkpoint(model=model).write(str(tmp_path / name))
        for variable in model.variables:
            variable.assign(tf.ones_like(variable))
        tf.train.Checkpoint(model=model).read(path).assert_consumed()
        for old, new in zip(before, flat(model(*batch, training=False)), strict=True):
            np.testing.assert_array_equal(old.numpy(), new.numpy())
