"""Losses of classifiers, one value per example."""

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.registry import register


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, label_smoothing: float = 0.0) -> tf.Tensor:
    """Returns the softmax cross entropy, float32 [batch].

    Args:
      labels: class numbers [batch], or class probabilities [batch, classes] (mixed labels).
      logits: [batch, classes].
      label_smoothing: the probability mass that is spread evenly over all classes.
    """
    logits = tf.cast(logits, tf.float32)
    return keras.losses.categorical_crossentropy(
        _probabilities(labels, logits), logits, from_logits=True, label_smoothing=label_smoothing
    )


@register('losses', 'binary_cross_entropy')
class BinaryCrossEntropy:
    """A binary classifier for each class, as in ResNet Strikes Back (arXiv:2110.00476) and timm.

    The loss is the mean over classes, about their number smaller than the cross entropy: it wants
    an optimizer that does not care, such as LAMB.

    Args:
      threshold: a target above it counts as 1, any other as 0; None takes targets as they are.
      label_smoothing: the probability mass that is spread evenly over all classes before that.

    Raises:
      UserError: if label_smoothing is out of range.
    """

    def __init__(self, threshold: float | None = None, label_smoothing: float = 0.0):
        if not 0 <= label_smoothing < 1:
            raise UserError(
                f'binary_cross_entropy.label_smoothing lies in [0, 1); {label_smoothing} does not.'
            )
        self._threshold = threshold
        self._label_smoothing = label_smoothing

    def __call__(self, labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """Returns the loss, float32 [batch]; for the arguments see `cross_entropy`."""
        logits = tf.cast(logits, tf.float32)
        targets = _probabilities(labels, logits)
        targets = targets * (1 - self._label_smoothing) + self._label_smoothing / logits.shape[-1]
        if self._threshold is not None:
            targets = tf.cast(targets > self._threshold, tf.float32)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits)
        return tf.reduce_mean(losses, axis=-1)


def _probabilities(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    return tf.one_hot(labels, logits.shape[-1]) if labels.shape.rank == 1 else labels
