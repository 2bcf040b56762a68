"""Variational autoencoders, by the sizes of the originals and what their parts promise."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.losses.likelihood import Gaussian, kl_to_standard_normal
from garden.models.vae import ConvVAE, DenseVAE

SMALL = tf.random.stateless_uniform([4, 8, 8, 1], [0, 1])


@pytest.mark.parametrize(
    ('model', 'parameters'),
    [
        (lambda: DenseVAE(latents=200, hidden=()), 471_584),
        (lambda: DenseVAE((8, 8, 1), latents=8, hidden=(200,)), 30_880),
        (lambda: ConvVAE((8, 8, 1), latents=8), 203_857),
        (lambda: ConvVAE((8, 8, 1), latents=16), 210_017),
    ],
)
def test_parameters(model, parameters):
    assert sum(v.shape.num_elements() for v in model().trainable_variables) == parameters


@pytest.mark.parametrize('network', [DenseVAE, ConvVAE])
def test_it_decodes_a_draw_from_the_code_of_the_image(network):
    model = network((8, 8, 1), latents=3)
    noise = tf.random.stateless_normal([4, 3], [1, 2])
    outputs, mean, log_variance = model(SMALL, noise)
    mean_alone, log_variance_alone = model.encode(SMALL)
    np.testing.assert_allclose(mean, mean_alone, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(log_variance, log_variance_alone, rtol=1e-5, atol=1e-6)
    drawn = mean + np.exp(log_variance / 2) * noise
    np.testing.assert_allclose(outputs, model.decode(drawn), rtol=1e-4, atol=1e-5)


def test_the_log_variance_stays_within_its_limit():
    model = DenseVAE((8, 8, 1), latents=3, hidden=(), log_variance_limit=2.0)
    _, log_variance = model.encode(1000 * SMALL - 500)
    assert np.abs(log_variance).max() == 2


def test_from_a_last_matrix_of_zeros_only_the_divergence_moves_the_heads():
    model = DenseVAE((8, 8, 1), latents=3, hidden=(), output_initializer='zeros')
    noise = tf.random.stateless_normal([4, 3], [1, 2])
    heads = [*model.mean.trainable_variables, *model.log_variance.trainable_variables]
    with tf.GradientTape(persistent=True) as tape:
        outputs, mean, log_variance = model(SMALL, noise)
        error = tf.reduce_sum(Gaussian()(SMALL, outputs))
        divergence = tf.reduce_sum(kl_to_standard_normal(mean, log_variance))
    assert all(not np.any(gradient) for gradient in tape.gradient(error, heads))
    assert all(np.any(gradient) for gradient in tape.gradient(divergence, heads))


def test_an_image_that_cannot_be_halved_is_refused():
    with pytest.raises(UserError, match='28 x 28 pixels cannot be halved 3 times'):
        ConvVAE(filters=(8, 8, 8, 8))
