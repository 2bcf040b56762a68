"""SIREN against a PyTorch network of the same weights, and against its derivation."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.models.siren import Siren
from garden.ops import derivatives

sys.path.insert(0, str(Path(__file__).parent))

import make_siren_references as reference


@pytest.fixture(scope='module')
def expected():
    return dict(np.load(Path(__file__).parent / 'data/siren_references.npz'))


@pytest.fixture
def siren():
    """The network with the weights of the references."""
    model = Siren()
    model(keras.Input([2]))
    model.set_weights([tensor for pair in reference.weights() for tensor in pair])
    return model


def test_the_number_of_parameters():
    model = Siren()
    model(keras.Input([2]))
    assert model.count_params() == 198_401


def test_values_gradient_and_laplacian_are_those_of_pytorch(siren, expected):
    found = tf.function(derivatives.laplacian)(siren, tf.constant(reference.points()))
    values, gradient, laplacian = (tensor.numpy() for tensor in found)
    np.testing.assert_allclose(values, expected['values'], atol=2e-6)
    np.testing.assert_allclose(gradient[:, 0], expected['gradient'], atol=2e-4)
    scale = np.abs(expected['laplacian']).max()
    np.testing.assert_allclose(laplacian[:, 0] / scale, expected['laplacian'] / scale, atol=1e-4)


def test_weights_get_the_gradients_of_pytorch(siren, expected):
    points, target = map(tf.constant, reference.picture())
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(siren(points) - target))
    gradients = tape.gradient(loss, siren.trainable_variables)
    norms = [float(tf.norm(gradient)) for gradient in gradients]
    np.testing.assert_allclose(norms, expected['weight_gradient_norms'], rtol=1e-4)


def test_training_follows_pytorch(siren, expected):
    points, target = map(tf.constant, reference.picture())
    optimizer = keras.optimizers.Adam(1e-4, epsilon=1e-8, jit_compile=False)
    optimizer.build(siren.trainable_variables)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(siren(points) - target))
        gradients = tape.gradient(loss, siren.trainable_variables)
        optimizer.apply_gradients(zip(gradients, siren.trainable_variables, strict=True))
        return loss

    losses = [float(step()) for _ in range(len(expected['losses']))]
    np.testing.assert_allclose(losses, expected['losses'], rtol=2e-3)
    assert losses[-1] < losses[0] / 5


def test_it_begins_as_the_reference_does(expected):
    """The spread of every tensor, and of what every layer says of points of the square."""
    keras.utils.set_random_seed(0)
    points = tf.random.uniform([4096, 2], -1, 1)
    spreads, outputs = [], []
    for _ in range(4):
        model = Siren()
        model(points)
        spreads.append([np.std(tensor) for tensor in model.get_weights()])
        features, spread = points, []
        for layer in (*model.sines, model.linear):
            features = layer(features)
            spread.append(np.std(features))
        outputs.append(spread)
    # The last bias is a single number.
    np.testing.assert_allclose(
        np.mean(spreads, 0)[:-1], expected['initial_tensors'][:-1], rtol=0.05
    )
    found, there = np.mean(outputs, 0), expected['initial_outputs']
    np.testing.assert_allclose(found[:-1], there[:-1], rtol=0.02)
    np.testing.assert_allclose(found[-1], there[-1], rtol=0.3)


def test_more_coordinates_outputs_and_layers():
    model = Siren(outputs=3, width=16, hidden_layers=1)
    assert model(tf.zeros([5, 3])).shape == (5, 3)
    assert model.count_params() == (3 * 16 + 16) + (16 * 16 + 16) + (16 * 3 + 3)


def test_a_longer_interval_is_as_good_as_a_higher_factor():
    """Sound: the grid from -100 to 100, or the first factor 100 times as high."""
    long, high = Siren(width=32), Siren(width=32, first_omega=3000.0)
    moments = tf.linspace([-1.0], [1.0], 50)
    for model in (long, high):
        model(moments)
    high.set_weights(long.get_weights())
    bias = high.sines[0].bias  # It is inside the factor, and not stretched with the grid.
    bias.assign(bias / 100)
    np.testing.assert_allclose(long(100 * moments), high(moments), atol=2e-3)


def test_a_network_without_outputs_is_refused():
    with pytest.raises(UserError, match='outputs'):
        Siren(outputs=0)
