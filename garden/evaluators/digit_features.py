"""A classifier of digit scans, whose features stand in for Inception's where none is at hand."""

import functools
from pathlib import Path

import numpy as np
import safetensors.numpy
import tensorflow as tf

from garden.core.registry import register
from garden.ops import image as ops

_WEIGHTS = Path(__file__).with_name('digit_classifier.safetensors')
_SIZE = 8


@register('evaluators', 'digit_features')
class DigitFeatures:
    """Looks at scans of digits as a classifier does that has learned from the split 'mixed_train'.

    Its test accuracy is 98.33 %; tools/train_digit_classifier.py made it. Images of another size
    are resized to 8 x 8, colours become grey. Dark ink is high: a picture with dark digits on light
    ground is to be inverted first.

    Attributes:
      metrics: what the Fréchet distance, the kernel distance and the classifier score are called
        where this network measures them. None of them can be compared with an FID.
    """

    metrics = ('fdd', 'kdd', 'classifier_score')

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns features [n, 64] and class probabilities [n, 10] of uint8 [n, h, w, 1 or 3]."""
        features, probabilities = _network()(tf.constant(images))
        return features.numpy(), probabilities.numpy()


@functools.cache
def _network() -> tf.types.experimental.PolymorphicFunction:
    # Constants, not variables: an evaluator adds nothing to a checkpoint and needs no strategy.
    stored = safetensors.numpy.load_file(_WEIGHTS)
    weights = {name: value.astype(np.float32) for name, value in stored.items()}

    @tf.function(
        input_signature=[tf.TensorSpec([None, None, None, None], tf.uint8)], autograph=False
    )
    def network(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        x = _scans(tf.cast(images, tf.float32) / 255)
        for layer in ('conv1', 'conv2', 'conv3'):
            if layer == 'conv3':
                x = tf.nn.max_pool2d(x, 2, 2, 'VALID')
            x = tf.nn.conv2d(x, weights[f'{layer}.kernel'], 1, 'SAME')
            x = tf.nn.relu(x + weights[f'{layer}.bias'])
        x = tf.reshape(x, [-1, weights['dense.kernel'].shape[0]])
        features = tf.nn.relu(x @ weights['dense.kernel'] + weights['dense.bias'])
        logits = features @ weights['logits.kernel'] + weights['logits.bias']
        return features, tf.nn.softmax(tf.cast(logits, tf.float64))

    return network


def _scans(images: tf.Tensor) -> tf.Tensor:
    """Returns grey images [n, 8, 8, 1]."""
    channels = tf.shape(images)[-1]
    colours = tf.tile(images, [1, 1, 1, 3 // channels])
    return tf.image.resize(ops.grey(colours), [_SIZE, _SIZE], antialias=True)
