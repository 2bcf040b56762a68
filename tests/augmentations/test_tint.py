"""Colours for grey pictures."""

import numpy as np
import tensorflow as tf

from garden.augmentations.tint import RandomTint, Tint

GREY = tf.constant(np.linspace(0, 1, 5, dtype=np.float32).repeat(3).reshape(1, 5, 3))
SEED = tf.constant([1, 2], tf.int64)


def test_black_and_white_take_their_colours_and_greys_lie_between():
    painted = Tint((1.0, 0.8, 0.6), (0.0, 0.2, 0.5))(GREY, SEED)[0].numpy()
    np.testing.assert_allclose(painted[0], (1.0, 0.8, 0.6), atol=1e-6)
    np.testing.assert_allclose(painted[-1], (0.0, 0.2, 0.5), atol=1e-6)
    np.testing.assert_allclose(painted[2], (0.5, 0.5, 0.55), atol=1e-6)


def test_random_colours_are_those_of_the_seed():
    paint = RandomTint()
    painted = paint(GREY, SEED).numpy()
    np.testing.assert_array_equal(painted, paint(GREY, SEED))
    assert np.abs(painted - paint(GREY, SEED + 1)).max() > 0.1
    steps = np.diff(painted[0], axis=0)  # On a straight line between two colours.
    np.testing.assert_allclose(steps, np.broadcast_to(steps[:1], steps.shape), atol=1e-6)


def test_noise_stays_within_the_range_of_values():
    wide = tf.zeros([50, 50, 3])
    noisy = RandomTint(noise=0.1)(wide, SEED).numpy()
    assert 0.05 < noisy.std(axis=(0, 1)).max() < 0.11
    assert 0 <= noisy.min() <= noisy.max() <= 1
