"""Adversarial losses against closed forms in NumPy."""

import math

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.losses import gan

REAL = np.array([[1.5, -0.5], [0.2, 3.0]], np.float32)
FAKE = np.array([[-2.0, 0.3], [1.1, -0.7]], np.float32)


def softplus(x):
    return np.logaddexp(0, x)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


# The losses, and their gradients by hand: by real logits, by fake ones, then the generator's.
CASES = {
    'non_saturating': (
        gan.NonSaturating(),
        softplus(-REAL).mean() + softplus(FAKE).mean(),
        softplus(-FAKE).mean(),
        ((sigmoid(REAL) - 1) / 4, sigmoid(FAKE) / 4, (sigmoid(FAKE) - 1) / 4),
    ),
    'smoothed': (
        gan.NonSaturating(label_smoothing=0.1),
        (softplus(REAL) - 0.9 * REAL).mean() + softplus(FAKE).mean(),
        softplus(-FAKE).mean(),
        ((sigmoid(REAL) - 0.9) / 4, sigmoid(FAKE) / 4, (sigmoid(FAKE) - 1) / 4),
    ),
    'least_squares': (
        gan.LeastSquares(),
        ((REAL - 1) ** 2).mean() + (FAKE**2).mean(),
        ((FAKE - 1) ** 2).mean(),
        ((REAL - 1) / 2, FAKE / 2, (FAKE - 1) / 2),
    ),
    'hinge': (
        gan.Hinge(),
        np.maximum(0, 1 - REAL).mean() + np.maximum(0, 1 + FAKE).mean(),
        -FAKE.mean(),
        ((REAL < 1) / -4, (FAKE > -1) / 4, -np.ones_like(FAKE) / 4),
    ),
    'wasserstein': (
        gan.Wasserstein(),
        FAKE.mean() - REAL.mean(),
        -FAKE.mean(),
        (-np.ones_like(REAL) / 4, np.ones_like(FAKE) / 4, -np.ones_like(FAKE) / 4),
    ),
}


@pytest.mark.parametrize('name', CASES)
def test_values_and_gradients_are_those_computed_by_hand(name):
    loss, discriminator, generator, gradients = CASES[name]
    real, fake = tf.constant(REAL), tf.constant(FAKE)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        d, g = loss.discriminator(real, fake), loss.generator(fake)
    np.testing.assert_allclose(d, discriminator, rtol=1e-6)
    np.testing.assert_allclose(g, generator, rtol=1e-6)
    found = (tape.gradient(d, real), tape.gradient(d, fake), tape.gradient(g, fake))
    for value, expected in zip(found, gradients, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5)


def test_an_undecided_discriminator_costs_log_4_and_its_generator_log_2():
    zeros = tf.zeros([5, 1])
    loss = gan.NonSaturating()
    assert float(loss.discriminator(zeros, zeros)) == pytest.approx(math.log(4))
    assert float(loss.generator(zeros)) == pytest.approx(math.log(2))


def test_extreme_logits_cost_their_size_and_no_more():
    loss = gan.NonSaturating()
    surely_wrong = loss.discriminator(tf.constant([-1000.0]), tf.constant([1000.0]))
    assert float(surely_wrong) == 2000.0
    assert float(loss.generator(tf.constant([1000.0]))) == 0.0


@pytest.mark.parametrize('name', CASES)
def test_half_precision_logits_give_a_float32_loss(name):
    half = tf.constant([1.0, 2.0], tf.bfloat16)
    loss = CASES[name][0]
    assert loss.discriminator(half, half).dtype == loss.generator(half).dtype == tf.float32


def test_a_smoothing_that_would_turn_the_labels_round_is_refused():
    with pytest.raises(UserError, match='label_smoothing'):
        gan.NonSaturating(label_smoothing=1.0)


def test_penalties_of_a_linear_critic_are_those_of_its_slope():
    slope = tf.constant([3.0, 4.0])

    def critic(images):
        return tf.linalg.matvec(images, slope)

    real, fake = tf.random.stateless_normal([2, 6, 2], [1, 2])
    penalty = gan.gradient_penalty(critic, real, fake, tf.constant([3, 4]))
    assert float(penalty) == pytest.approx((5 - 1) ** 2, rel=1e-6)
    assert float(gan.zero_centred_penalty(critic, real)) == pytest.approx(25 / 2, rel=1e-6)


def test_the_gradient_penalty_looks_between_the_two_and_moves_the_critic():
    weight = tf.Variable(2.0)
    real, fake = tf.zeros([64, 1]), tf.ones([64, 1])
    with tf.GradientTape() as tape:  # d/dx (w x^2 / 2) = w x, so the norm is w x.
        penalty = gan.gradient_penalty(lambda x: weight * x**2 / 2, real, fake, tf.constant([0, 1]))
    places = 1 - tf.random.stateless_uniform([64, 1], [0, 1])
    assert float(penalty) == pytest.approx(float(tf.reduce_mean((2 * places - 1) ** 2)), rel=1e-4)
    expected = tf.reduce_mean(2 * (2 * places - 1) * places)
    assert float(tape.gradient(penalty, weight)) == pytest.approx(float(expected), rel=1e-4)
    assert 0 < float(tf.reduce_min(places)) < float(tf.reduce_max(places)) < 1
