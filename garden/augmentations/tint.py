"""Colours for grey pictures."""

from collections.abc import Sequence

import tensorflow as tf

from garden.core.registry import register
from garden.ops import image as images

Colour = Sequence[float]


@register('augmentations', 'tint')
class Tint:
    """Paints a grey picture in two colours: black becomes `black`, white becomes `white`.

    What lies between the two stays there; `black` lighter than `white` inverts the picture.

    Args:
      black: a colour (red, green, blue), each 0 to 1.
      white: another.
    """

    def __init__(self, black: Colour, white: Colour):
        self._black = black
        self._white = white

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the picture [height, width, 3], float32, painted."""
        del seed
        return _painted(image, tf.constant(self._black), tf.constant(self._white))


@register('augmentations', 'random_tint')
class RandomTint:
    """Paints a grey picture in two random colours, each picture in others, and adds noise.

    Args:
      noise: standard deviation of normal noise on each value.
    """

    def __init__(self, noise: float = 0.0):
        self._noise = noise

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the picture [height, width, 3], float32, painted."""
        colour_seed, noise_seed = images.split(seed, 2)
        black, white = tf.unstack(tf.random.stateless_uniform([2, 3], colour_seed))
        noise = self._noise * tf.random.stateless_normal(tf.shape(image), noise_seed)
        return tf.clip_by_value(_painted(image, black, white) + noise, 0.0, 1.0)


def _painted(image: tf.Tensor, black: tf.Tensor, white: tf.Tensor) -> tf.Tensor:
    return black + (white - black) * image
