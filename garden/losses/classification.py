"""Losses of classifiers, one value per example."""

import tensorflow as tf
import tf_keras as keras


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, label_smoothing: float = 0.0) -> tf.Tensor:
    """Returns the softmax cross entropy, float32 [batch].

    Args:
      labels: class numbers [batch], or class probabilities [batch, classes] (mixed labels).
      logits: [batch, classes].
      label_smoothing: the probability mass that is spread evenly over all classes.
    """
    logits = tf.cast(logits, tf.float32)
    if labels.shape.rank == 1:
        labels = tf.one_hot(labels, logits.shape[-1])
    return keras.losses.categorical_crossentropy(
        labels, logits, from_logits=True, label_smoothing=label_smoothing
    )
