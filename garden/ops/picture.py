"""Pillow's operations on 8-bit pictures, in graph code, with Pillow's own arithmetic.

The published augmentation policies are defined by what Pillow computes, truncation included: that
is what these functions repeat. A picture is uint8 [height, width, 3], a magnitude a float32 scalar.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

from garden.ops import image


def affine(picture: tf.Tensor, rows: Sequence[Sequence[float]], fill: Sequence[int]) -> tf.Tensor:
    """Samples bilinearly: pixel (x, y) of the result lies at `rows` @ (x, y, 1) in the picture.

    Args:
      picture: see the module.
      rows: two rows of three; coordinates are measured from the upper left corner, so that the
        centre of the first pixel lies at (0.5, 0.5).
      fill: colour of what lies outside of the picture.
    """
    height, width = tf.unstack(tf.shape(picture)[:2])
    matrix = tf.stack([tf.stack([tf.cast(v, tf.float32) for v in row]) for row in rows])
    turn, shift = matrix[:, :2], matrix[:, 2]
    # The op counts from the centre of the first pixel.
    start = shift + tf.reduce_sum(turn, 1) / 2 - 0.5
    moved = image.affine(picture, turn, start, tf.stack([height, width]))
    column = tf.range(tf.cast(width, tf.float32)) + 0.5
    row = (tf.range(tf.cast(height, tf.float32)) + 0.5)[:, None]
    x = turn[0, 0] * column + turn[0, 1] * row + shift[0]
    y = turn[1, 0] * column + turn[1, 1] * row + shift[1]
    inside = (x >= 0) & (y >= 0)
    inside &= (x < tf.cast(width, tf.float32)) & (y < tf.cast(height, tf.float32))
    # The cast truncates as Pillow does; a whole number must survive the rounding of its weights.
    moved = tf.cast(moved + 1e-3, tf.uint8)
    return tf.ensure_shape(
        tf.where(inside[..., None], moved, tf.constant(fill, tf.uint8)), picture.shape
    )


def shear_x(picture: tf.Tensor, slope: tf.Tensor, fill: Sequence[int]) -> tf.Tensor:
    """Moves each row to the left by `slope` times its distance from the upper border."""
    return affine(picture, [[1, slope, 0], [0, 1, 0]], fill)


def shear_y(picture: tf.Tensor, slope: tf.Tensor, fill: Sequence[int]) -> tf.Tensor:
    """Moves each column up by `slope` times its distance from the left border."""
    return affine(picture, [[1, 0, 0], [slope, 1, 0]], fill)


def translate_x(picture: tf.Tensor, pixels: tf.Tensor, fill: Sequence[int]) -> tf.Tensor:
    """Moves the picture to the right."""
    return affine(picture, [[1, 0, -pixels], [0, 1, 0]], fill)


def translate_y(picture: tf.Tensor, pixels: tf.Tensor, fill: Sequence[int]) -> tf.Tensor:
    """Moves the picture down."""
    return affine(picture, [[1, 0, 0], [0, 1, -pixels]], fill)


def rotate(picture: tf.Tensor, degrees: tf.Tensor, fill: Sequence[int]) -> tf.Tensor:
    """Turns the picture about its centre, counter-clockwise."""
    angle = degrees * (math.pi / 180)
    cos, sin = tf.cos(angle), tf.sin(angle)
    y, x = tf.unstack(tf.cast(tf.shape(picture)[:2], tf.float32) / 2)
    rows = [[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y]]
    return affine(picture, rows, fill)


def brightness(picture: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with black: 0 is black, 1 the picture."""
    return _blend(tf.zeros_like(picture, tf.float32), picture, factor)


def color(picture: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with the grey picture: 0 is grey, 1 the picture."""
    return _blend(_grey(picture), picture, factor)


def contrast(picture: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with the mean grey of the picture: 0 is that grey, 1 the picture."""
    mean = tf.floor(tf.reduce_mean(_grey(picture)) + 0.5)
    return _blend(mean, picture, factor)


def sharpness(picture: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with the smoothed picture: 0 is smooth, 1 the picture; the border stays."""
    kernel = tf.reshape(tf.constant([1.0, 1, 1, 1, 5, 1, 1, 1, 1]) / 13, [3, 3, 1, 1])
    channels_first = tf.transpose(tf.cast(picture, tf.float32), [2, 0, 1])[..., None]
    inner = tf.nn.conv2d(channels_first, kernel, 1, 'VALID')[..., 0]
    inner = tf.floor(tf.transpose(inner, [1, 2, 0]) + 0.5)
    border = tf.pad(tf.ones_like(inner), [[1, 1], [1, 1], [0, 0]])
    smooth = tf.pad(inner, [[1, 1], [1, 1], [0, 0]])
    smooth = tf.where(border > 0, smooth, tf.cast(picture, tf.float32))
    return _blend(smooth, picture, factor)


def posterize(picture: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """Keeps the upper `bits` (a whole number from 0 to 8) of each value."""
    mask = tf.bitwise.left_shift(255, 8 - tf.cast(bits, tf.int32)) % 256
    return tf.bitwise.bitwise_and(picture, tf.cast(mask, tf.uint8))


def solarize(picture: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Inverts the values that reach the threshold."""
    return tf.where(tf.cast(picture, tf.float32) < threshold, picture, 255 - picture)


def solarize_add(picture: tf.Tensor, amount: tf.Tensor) -> tf.Tensor:
    """Adds the whole part of `amount` to the values below 128."""
    values = tf.cast(picture, tf.int32)
    lighter = tf.minimum(values + tf.cast(amount, tf.int32), 255)
    return tf.cast(tf.where(values < 128, lighter, values), tf.uint8)


def invert(picture: tf.Tensor) -> tf.Tensor:
    """Returns the negative."""
    return 255 - picture


def autocontrast(picture: tf.Tensor) -> tf.Tensor:
    """Stretches the values of each channel to the whole range."""
    low = tf.cast(tf.reduce_min(picture, [0, 1]), tf.float64)[:, None]
    high = tf.cast(tf.reduce_max(picture, [0, 1]), tf.float64)[:, None]
    levels = tf.range(256, dtype=tf.float64)
    scale = 255 / tf.maximum(high - low, 1)
    stretched = tf.clip_by_value(levels * scale - low * scale, 0, 255)
    return _looked_up(picture, tf.where(high > low, stretched, levels))


def equalize(picture: tf.Tensor) -> tf.Tensor:
    """Spreads the values of each channel so that all levels are about equally frequent."""
    by_channel = tf.transpose(tf.reshape(tf.cast(picture, tf.int32), [-1, 3]))
    counts = tf.math.bincount(by_channel, minlength=256, maxlength=256, axis=-1)
    highest = tf.reduce_max(by_channel, 1)
    step = (tf.reduce_sum(counts, 1) - tf.gather(counts, highest, batch_dims=1)) // 255
    step = step[:, None]
    below = tf.cumsum(counts, axis=1, exclusive=True)
    spread = tf.minimum((step // 2 + below) // tf.maximum(step, 1), 255)
    return _looked_up(picture, tf.where(step > 0, spread, tf.range(256)))


def _blend(degenerate: tf.Tensor, picture: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    values = tf.cast(picture, tf.float32)
    blended = degenerate + tf.cast(factor, tf.float32) * (values - degenerate)
    return tf.cast(tf.clip_by_value(blended, 0, 255), tf.uint8)


def _grey(picture: tf.Tensor) -> tf.Tensor:
    """Returns the luma of ITU-R 601-2 in 16-bit fixed point, float32 [height, width, 1]."""
    weighted = tf.cast(picture, tf.int32) * tf.constant([19595, 38470, 7471])
    luma = (tf.reduce_sum(weighted, -1, keepdims=True) + 0x8000) // 0x10000
    return tf.cast(luma, tf.float32)


def _looked_up(picture: tf.Tensor, tables: tf.Tensor) -> tf.Tensor:
    """Replaces the values of each channel by its row of `tables`, [3, 256]."""
    flat = tf.cast(tf.reshape(tables, [-1]), tf.uint8)
    return tf.gather(flat, tf.cast(picture, tf.int32) + tf.constant([0, 256, 512]))
