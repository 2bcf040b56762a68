"""How a network is told what class is meant."""

import tensorflow as tf


def with_labels(features: tf.Tensor, labels: tf.Tensor | None, classes: int | None) -> tf.Tensor:
    """Returns features with the one-hot class of each example after their channels.

    Args:
      features: vectors [batch, channels] or maps [batch, height, width, channels]; to maps the
        classes are appended as constant maps.
      labels: integers [batch]; read only if there are classes.
      classes: their number, None for features as they are.
    """
    if classes is None:
        return features
    codes = tf.one_hot(labels, classes, dtype=features.dtype)
    if features.shape.rank == 4:
        shape = tf.shape(features)
        codes = tf.broadcast_to(
            codes[:, None, None], [shape[0], features.shape[1], features.shape[2], classes]
        )
    return tf.concat([features, codes], axis=-1)
