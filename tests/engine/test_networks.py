"""What the networks of a run cost is written down once, and never in the way of the run."""

import types

import pytest
import tensorflow as tf
import tf_keras as keras

from garden.engine import networks
from garden.engine.run_folder import RunFolder


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / 'run')
    made.create()
    return made


def trainer(models, strategy):
    return types.SimpleNamespace(
        task=types.SimpleNamespace(models=lambda: models), strategy=strategy
    )


def dense():
    model = keras.Sequential(
        [keras.layers.Dense(4, name='first'), keras.layers.Dense(2, name='last')]
    )
    model.build([None, 3])
    return model


def test_each_phase_adds_its_own(folder, one_device):
    spec = tf.TensorSpec([1, 3])
    networks.note(folder, 'a', trainer({'model': (dense(), spec)}, one_device))
    networks.note(folder, 'b', trainer({}, one_device))
    found = folder.read_networks()
    assert set(found) == {'a', 'b'} and found['b'] == {}
    assert found['a']['model']['inputs'] == [[1, 3]]
    parts = {part['name']: part for part in found['a']['model']['parts']}
    # Weights and biases; a multiply-add each.
    assert parts['first']['parameters'] == parts['first']['multiply_adds'] == 3 * 4 + 4
    assert parts['last']['output_shape'] == [1, 2]


def test_a_network_that_cannot_be_counted_is_left_out(folder, one_device):
    def fails(x):
        raise ValueError('no such input')

    models = {'bad': (fails, tf.TensorSpec([1, 3])), 'good': (dense(), tf.TensorSpec([1, 3]))}
    networks.note(folder, 'a', trainer(models, one_device))
    assert set(folder.read_networks()['a']) == {'good'}


def test_one_of_several_workers_counts_nothing(folder):
    several = tf.distribute.MultiWorkerMirroredStrategy.__new__(
        tf.distribute.MultiWorkerMirroredStrategy
    )
    networks.note(folder, 'a', trainer({'model': (dense(), tf.TensorSpec([1, 3]))}, several))
    assert folder.read_networks() == {}
