"""Cross entropy against NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from garden.losses.classification import cross_entropy


def reference(targets, logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -(targets * log_probabilities).sum(axis=1)


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
def test_class_numbers_and_mixed_labels(smoothing):
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(4, 3)).astype(np.float32)
    labels = np.array([0, 2, 1, 1])
    targets = np.eye(3)[labels] * (1 - smoothing) + smoothing / 3
    loss = cross_entropy(tf.constant(labels), tf.constant(logits), smoothing)
    np.testing.assert_allclose(loss, reference(targets, logits), rtol=1e-5)

    mixed = generator.dirichlet(np.ones(3), size=4).astype(np.float32)
    loss = cross_entropy(tf.constant(mixed), tf.constant(logits), smoothing)
    targets = mixed * (1 - smoothing) + smoothing / 3
    np.testing.assert_allclose(loss, reference(targets, logits), rtol=1e-5)


def test_half_precision_logits_lose_nothing_in_the_sum():
    logits = tf.constant([[30.0, 0.0]], tf.float16)
    np.testing.assert_allclose(cross_entropy(tf.constant([1]), logits), [30.0], rtol=1e-6)
