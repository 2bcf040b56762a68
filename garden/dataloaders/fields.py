"""The fields of raw examples that several data loaders read."""

from collections.abc import Sequence

import tensorflow as tf

IMAGE = (tf.TensorSpec([], tf.string), tf.TensorSpec([None, None, None], tf.uint8))
"""An encoded picture, or pixels [height, width, 1 or 3]."""

LABEL = tuple(tf.TensorSpec([], dtype) for dtype in (tf.int64, tf.int32, tf.uint8))


def class_count(stated: int | None, names: Sequence[str] | None) -> int | None:
    """Returns the number of classes, as stated or as many as have names, where it is known."""
    if stated is not None:
        return stated
    return None if names is None else len(names)


def in_range(label: tf.Tensor, count: int | None) -> tf.Tensor:
    """Returns a label as int32; one that is not from 0 to count - 1 is an error.

    Without a count, only a label below 0 is out of range.
    """
    wrong = 'is negative' if count is None else f'is not from 0 to {count - 1}'
    # The raw op: those of tf.debugging add a conditional, which each example would pay for. As a
    # number without sign, a negative label is above all others.
    fits = tf.cast(label, tf.uint64) < tf.constant(2**63 if count is None else count, tf.uint64)
    check = tf.raw_ops.Assert(condition=fits, data=['its label', label, wrong])
    with tf.control_dependencies([check]):
        return tf.cast(label, tf.int32)
