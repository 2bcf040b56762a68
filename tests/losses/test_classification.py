"""Losses against NumPy, PyTorch and timm."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.losses.classification import BinaryCrossEntropy, cross_entropy


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


REFERENCE = json.loads((Path(__file__).parent / 'data' / 'classification.json').read_text())


@pytest.mark.parametrize('name', sorted(REFERENCE))
def test_losses_are_those_of_torch_and_timm(name):
    """The numbers come from tools/torch_references.py."""
    rng = np.random.default_rng(0)
    logits = tf.constant(rng.normal(size=(4, 5)) * 3, tf.float32)
    mixed = rng.dirichlet(np.ones(5) / 2, size=4)
    labels = tf.constant(mixed, tf.float32) if 'mixed' in name else tf.constant([0, 3, 4, 4])
    if name.startswith('binary'):
        _, smoothing, threshold = name.removesuffix(' mixed').split()
        limit = None if threshold == 'None' else float(threshold)
        loss = BinaryCrossEntropy(limit, float(smoothing))(labels, logits)
    else:
        loss = cross_entropy(labels, logits, 0.1)
    np.testing.assert_allclose(loss, REFERENCE[name], rtol=1e-5)


def test_smoothing_out_of_range_is_refused():
    with pytest.raises(UserError, match=r'lies in \[0, 1\); 1.5 does not'):
        BinaryCrossEntropy(label_smoothing=1.5)
