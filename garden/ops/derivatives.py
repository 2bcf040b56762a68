"""Derivatives of a field, a function from points to values, by its coordinates.

A field maps coordinates [n, d] to values [n, c], each point by itself. What is returned can be
differentiated again, by the weights of the field too.
"""

from collections.abc import Callable

import tensorflow as tf

Field = Callable[[tf.Tensor], tf.Tensor]


def gradient(field: Field, coordinates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns the values [n, c] and their gradient [n, c, d]."""
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(coordinates)
        values = field(coordinates)
        channels = tf.unstack(values, axis=-1)
    slopes = [_slope(tape, channel, coordinates) for channel in channels]
    return values, tf.stack(slopes, axis=1)


def hessian(field: Field, coordinates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the values [n, c], their gradient [n, c, d] and Hessian matrices [n, c, d, d]."""
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(coordinates)
        values, slopes = gradient(field, coordinates)
        entries = [tf.unstack(slope, axis=-1) for slope in tf.unstack(slopes, axis=1)]
    rows = [
        tf.stack([_slope(tape, entry, coordinates) for entry in row], axis=1) for row in entries
    ]
    return values, slopes, tf.stack(rows, axis=1)


def laplacian(field: Field, coordinates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns the values [n, c], their gradient [n, c, d] and their Laplacian [n, c]."""
    values, slopes, second = hessian(field, coordinates)
    return values, slopes, tf.linalg.trace(second)


def _slope(tape: tf.GradientTape, value: tf.Tensor, coordinates: tf.Tensor) -> tf.Tensor:
    # What does not depend on the coordinates has the derivative 0, not none.
    zero = tf.UnconnectedGradients.ZERO
    return tape.gradient(value, coordinates, unconnected_gradients=zero)
