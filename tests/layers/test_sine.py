"""The sine layer: what its initialisation promises."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.layers.sine import Sine


def spread(width, low=-1.0, high=1.0, depth=8):
    """The standard deviations of what goes into and out of the sines of each layer, no biases."""
    keras.utils.set_random_seed(1)
    features = tf.random.uniform([512, 1], low, high)
    before, after = [], []
    for number in range(depth):
        layer = Sine(width, first=number == 0)
        layer.build(features.shape)
        layer.bias.assign(tf.zeros_like(layer.bias))
        before.append(float(tf.math.reduce_std(30 * features @ layer.kernel)))
        features = layer(features)
        after.append(float(tf.math.reduce_std(features)))
    return before, after


@pytest.mark.parametrize('width', [256, 1024])
def test_the_spread_stays_the_same_at_any_depth_and_width(width):
    before, after = spread(width)
    # Sums of variance 1, and sines of variance 1/2 at most: the bands of the measured reference.
    assert all(0.85 < std < 1.05 for std in before[1:]), before
    assert all(0.6 < std < 0.72 for std in after[1:]), after
    np.testing.assert_allclose(before[3:], before[2], rtol=0.1)


def test_it_does_not_depend_on_where_the_coordinates_lie():
    _, here = spread(256)
    _, there = spread(256, 2.0, 4.0)
    np.testing.assert_allclose(here[2:], there[2:], rtol=0.1)


@pytest.mark.parametrize(
    ('first', 'fan_in', 'bound'), [(True, 4, 1 / 4), (False, 54, np.sqrt(6 / 54) / 30)]
)
def test_weights_fill_their_bounds(first, fan_in, bound):
    layer = Sine(512, first=first)
    layer.build([None, fan_in])
    kernel = layer.kernel.numpy()
    assert 0.98 * bound < np.abs(kernel).max() <= bound
    np.testing.assert_allclose(kernel.std(), bound / np.sqrt(3), rtol=0.05)
    assert 0.9 / np.sqrt(fan_in) < np.abs(layer.bias.numpy()).max() <= 1 / np.sqrt(fan_in)


def test_it_is_a_sine_of_a_linear_map():
    layer = Sine(3, omega=7.0)
    inputs = tf.constant([[0.1, -0.2], [0.3, 0.4]])
    layer.build(inputs.shape)
    kernel, bias = layer.get_weights()
    expected = np.sin(7 * (inputs.numpy() @ kernel + bias))
    np.testing.assert_allclose(layer(inputs), expected, atol=1e-6)


def test_the_gradient_of_the_weights_grows_with_omega():
    """Omega is inside the sine, not in the first weights: it makes training that much faster."""

    def gradient(omega):
        layer = Sine(1, omega=omega)
        layer.build([None, 1])
        layer.set_weights([np.array([[0.5 / omega]]), np.zeros(1)])
        with tf.GradientTape() as tape:
            output = layer(tf.ones([1, 1]))
        return tape.gradient(output, layer.kernel).numpy().item()

    assert gradient(30.0) == pytest.approx(10 * gradient(3.0), rel=1e-5)


def test_it_is_made_again_from_its_configuration():
    layer = Sine(4, omega=5.0, first=True, name='waves')
    assert Sine.from_config(layer.get_config()).get_config() == layer.get_config()
