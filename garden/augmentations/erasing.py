"""Random erasing (Zhong et al., arXiv:1708.04896)."""

import math
from collections.abc import Sequence

import tensorflow as tf

from garden.core.registry import register
from garden.ops import image as images


@register('augmentations', 'random_erasing')
class RandomErasing:
    """Paints over a random rectangle of an image, as torchvision does; for the loader's `augment`.

    Ten times a rectangle is drawn, of uniform area and log-uniform aspect ratio; the first that
    fits into the image is painted.

    Args:
      probability: of an image to be painted on.
      area: bounds of the rectangle's part of the area.
      aspect: bounds of its height / width.
      color: of the paint, 0 to 1. It is the mean of ImageNet, which is 0 once it is normalised.
    """

    def __init__(
        self,
        probability: float = 0.1,
        area: tuple[float, float] = (0.02, 0.33),
        aspect: tuple[float, float] = (0.3, 3.3),
        color: Sequence[float] = (0.485, 0.456, 0.406),
    ):
        self._probability = probability
        self._area = area
        self._log_aspect = [math.log(bound) for bound in aspect]
        self._color = color

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the image [height, width, 3], float32, painted on or not."""
        choice, tries = images.split(seed, 2)
        draws = tf.random.stateless_uniform([4, 10], tries)
        sides = tf.shape(image)[:2]
        height, width = tf.unstack(sides)
        low, high = self._area
        target = (low + (high - low) * draws[0]) * tf.cast(height * width, tf.float32)
        low, high = self._log_aspect
        ratio = tf.exp(low + (high - low) * draws[1])
        tall = tf.cast(tf.round(tf.sqrt(target * ratio)), tf.int32)
        wide = tf.cast(tf.round(tf.sqrt(target / ratio)), tf.int32)
        fits = (tall < height) & (wide < width)
        chosen = tf.argmax(tf.cast(fits, tf.int32))
        tall, wide = tall[chosen], wide[chosen]
        margins = tf.cast(sides - tf.stack([tall, wide]) + 1, tf.float32)
        top, left = tf.unstack(tf.cast(draws[2:, chosen] * margins, tf.int32))
        row, column = tf.range(height)[:, None], tf.range(width)
        inside = (row >= top) & (row < top + tall) & (column >= left) & (column < left + wide)
        paints = tf.random.stateless_uniform([], choice) < self._probability
        paints &= tf.reduce_any(fits)
        return tf.where((inside & paints)[..., None], tf.constant(self._color, tf.float32), image)
