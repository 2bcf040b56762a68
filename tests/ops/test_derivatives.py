"""Derivatives against finite differences and closed forms, in float64."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.models.siren import Siren
from garden.ops import derivatives

POINTS = np.random.default_rng(0).uniform(-1, 1, (20, 2))


def waves(points):
    """Two channels: sin(2x) cos(3y) and x^2 y."""
    x, y = points[:, 0], points[:, 1]
    return tf.stack([tf.sin(2 * x) * tf.cos(3 * y), x**2 * y], axis=1)


def test_derivatives_of_what_is_known_in_closed_form():
    values, gradient, laplacian = derivatives.laplacian(waves, tf.constant(POINTS))
    x, y = POINTS.T
    np.testing.assert_allclose(values, np.stack([np.sin(2 * x) * np.cos(3 * y), x**2 * y], 1))
    expected = [
        [2 * np.cos(2 * x) * np.cos(3 * y), -3 * np.sin(2 * x) * np.sin(3 * y)],
        [2 * x * y, x**2],
    ]
    np.testing.assert_allclose(gradient, np.moveaxis(expected, -1, 0), atol=1e-12)
    np.testing.assert_allclose(
        laplacian, np.stack([-13 * np.sin(2 * x) * np.cos(3 * y), 2 * y], 1), atol=1e-12
    )


def test_the_mixed_second_derivatives():
    _, _, hessian = derivatives.hessian(waves, tf.constant(POINTS))
    x, y = POINTS.T
    mixed = np.stack([-6 * np.cos(2 * x) * np.sin(3 * y), 2 * x], 1)
    np.testing.assert_allclose(hessian[:, :, 0, 1], mixed, atol=1e-12)
    np.testing.assert_allclose(hessian[:, :, 1, 0], mixed, atol=1e-12)


@pytest.fixture
def float64():
    keras.utils.set_random_seed(3)
    keras.mixed_precision.set_global_policy('float64')


def test_a_network_against_finite_differences(float64):
    siren = Siren(width=32, hidden_layers=2)
    values, gradient, laplacian = derivatives.laplacian(siren, tf.constant(POINTS))
    step = 1e-4
    there, back = (
        np.stack([siren(tf.constant(POINTS + sign * step * axis)) for axis in np.eye(2)], -1)
        for sign in (1, -1)
    )
    slopes = (there - back) / (2 * step)
    curvature = ((there - 2 * values[..., None] + back) / step**2).numpy().sum(-1)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(laplacian, curvature, rtol=1e-4, atol=1e-2)


def test_one_layer_of_sines_against_its_closed_form(float64):
    siren = Siren(width=16, hidden_layers=0)
    found = derivatives.laplacian(siren, tf.constant(POINTS))
    weight, bias, out, last = siren.get_weights()
    phases = 30 * (POINTS @ weight + bias)
    np.testing.assert_allclose(found[0], np.sin(phases) @ out + last, atol=1e-9)
    slopes = np.einsum('nk,dk,kc->ncd', np.cos(phases), 30 * weight, out)
    np.testing.assert_allclose(found[1], slopes, atol=1e-7)
    curvature = -(np.sin(phases) * ((30 * weight) ** 2).sum(0)) @ out
    np.testing.assert_allclose(found[2], curvature, atol=1e-6)


def test_what_does_not_depend_on_a_coordinate_has_the_derivative_zero():
    _, gradient, laplacian = derivatives.laplacian(
        lambda points: 3 * points[:, :1], tf.constant(POINTS)
    )
    np.testing.assert_array_equal(gradient[:, 0], [[3.0, 0.0]] * len(POINTS))
    np.testing.assert_array_equal(laplacian, np.zeros([len(POINTS), 1]))
