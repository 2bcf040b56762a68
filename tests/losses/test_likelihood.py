"""Likelihoods and divergences, against SciPy's."""

import numpy as np
import scipy.integrate
import scipy.stats
import tensorflow as tf

from garden.losses.likelihood import Bernoulli, Gaussian, kl_to_standard_normal, log_normal

RANDOM = np.random.default_rng(0)
OUTPUTS = RANDOM.normal(size=(3, 4, 5, 2)).astype(np.float32)


def test_bernoulli_is_the_likelihood_of_black_and_white_pixels():
    images = RANDOM.integers(0, 2, OUTPUTS.shape)
    probabilities = 1 / (1 + np.exp(-OUTPUTS.astype(np.float64)))
    expected = -scipy.stats.bernoulli.logpmf(images, probabilities).sum(axis=(1, 2, 3))
    found = Bernoulli()(tf.constant(images, tf.float32), OUTPUTS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(Bernoulli().mean(OUTPUTS), probabilities, rtol=1e-5)


def test_bernoulli_stays_finite_where_the_network_is_sure():
    image = tf.reshape([0.0, 1.0], [1, 1, 2, 1])
    np.testing.assert_allclose(Bernoulli()(image, tf.constant([[[[1000.0], [1000.0]]]])), [1000])


def test_gaussian_is_a_likelihood_but_for_its_constant():
    images = RANDOM.normal(size=OUTPUTS.shape).astype(np.float32)
    nats = -scipy.stats.norm.logpdf(images, OUTPUTS).sum(axis=(1, 2, 3))
    constant = 0.5 * np.log(2 * np.pi) * 4 * 5 * 2
    np.testing.assert_allclose(Gaussian()(images, OUTPUTS), nats - constant, rtol=1e-5)
    np.testing.assert_array_equal(Gaussian().mean(OUTPUTS), OUTPUTS)


def test_the_divergence_is_the_integral_that_defines_it():
    for mean, log_variance in [(0.0, 0.0), (1.5, -1.0), (-0.3, 0.8)]:
        q, p = scipy.stats.norm(mean, np.exp(0.5 * log_variance)), scipy.stats.norm()
        integral, _ = scipy.integrate.quad(
            lambda x, q=q, p=p: q.pdf(x) * (q.logpdf(x) - p.logpdf(x)), -15, 15
        )
        found = kl_to_standard_normal(tf.constant(mean), tf.constant(log_variance))
        np.testing.assert_allclose(found, integral, atol=1e-6)


def test_log_normal_is_the_sum_of_log_densities():
    mean, log_variance, x = RANDOM.normal(size=(3, 6, 4)).astype(np.float32)
    expected = scipy.stats.norm.logpdf(x, mean, np.exp(0.5 * log_variance)).sum(axis=-1)
    np.testing.assert_allclose(log_normal(x, mean, log_variance), expected, rtol=1e-5)
