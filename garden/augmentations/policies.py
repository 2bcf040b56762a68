"""Augmentation policies over Pillow's operations: `augment` of the image classification loader.

A policy maps (image, seed) to an image; images are float32 from 0 to 1 and are rounded to 8 bits,
in which the published policies work.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from garden.core.registry import register
from garden.ops import image as images
from garden.ops import picture as ops

Operation = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


@register('augmentations', 'trivial_augment_wide')
class TrivialAugmentWide:
    """TrivialAugment with its wide ranges (arXiv:2103.10158, table 1), as torchvision has it.

    One of fourteen operations is drawn, one of 31 magnitudes for it, and a sign where it has one,
    all uniformly.

    Args:
      translate: the largest translation, in pixels; 32 is meant for images of 224.
      rotate: the largest angle, in degrees.
      fill: colour (0 to 255) of what comes in from beyond the border.
    """

    def __init__(
        self,
        translate: float = 32.0,
        rotate: float = 135.0,
        fill: Sequence[int] = (0, 0, 0),
    ):
        self.bins = 31
        still = np.zeros(self.bins)
        wide = np.linspace(0, 0.99, self.bins)
        # (operation, magnitudes, whether the magnitude has a sign)
        self.operations: dict[str, tuple[Operation, np.ndarray, bool]] = {
            'identity': (lambda p, m: p, still, False),
            'shear_x': (lambda p, m: ops.shear_x(p, m, fill), wide, True),
            'shear_y': (lambda p, m: ops.shear_y(p, m, fill), wide, True),
            'translate_x': (
                lambda p, m: ops.translate_x(p, _whole(m), fill),
                np.linspace(0, translate, self.bins),
                True,
            ),
            'translate_y': (
                lambda p, m: ops.translate_y(p, _whole(m), fill),
                np.linspace(0, translate, self.bins),
                True,
            ),
            'rotate': (
                lambda p, m: ops.rotate(p, m, fill),
                np.linspace(0, rotate, self.bins),
                True,
            ),
            'brightness': (lambda p, m: ops.brightness(p, 1 + m), wide, True),
            'color': (lambda p, m: ops.color(p, 1 + m), wide, True),
            'contrast': (lambda p, m: ops.contrast(p, 1 + m), wide, True),
            'sharpness': (lambda p, m: ops.sharpness(p, 1 + m), wide, True),
            'posterize': (
                ops.posterize,
                8 - np.round(np.arange(self.bins) / ((self.bins - 1) / 6)),
                False,
            ),
            'solarize': (ops.solarize, np.linspace(255, 0, self.bins), False),
            'autocontrast': (lambda p, m: ops.autocontrast(p), still, False),
            'equalize': (lambda p, m: ops.equalize(p), still, False),
        }

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the augmented image [height, width, 3], float32 from 0 to 1."""
        seeds = images.split(seed, 3)
        chosen = _uniform(seeds[0], len(self.operations))
        level = _uniform(seeds[1], self.bins)
        operations = self.operations.values()
        table = tf.constant(np.stack([magnitudes for _, magnitudes, _ in operations]), tf.float32)
        signed = tf.constant([signed for _, _, signed in operations])[chosen]
        magnitude = table[chosen, level]
        magnitude = tf.where(signed & (_uniform(seeds[2], 2) == 1), -magnitude, magnitude)
        return _through_8_bits(
            image, lambda picture: _applied([o for o, *_ in operations], chosen, picture, magnitude)
        )


@register('augmentations', 'rand_augment')
class RandAugment:
    """RandAugment (arXiv:1909.13719) in timm's form 'rand-mM-mstdS-inc1', as RSB uses it.

    Of fifteen operations `count` are drawn, with replacement; each is applied with probability
    1/2, at a magnitude from N(magnitude, deviation^2) cut to 0 to 10, of which more is stronger.
    Pictures are sampled bilinearly, where timm takes bilinear and bicubic in turn.

    Args:
      magnitude: the mean magnitude, of 10.
      deviation: its standard deviation.
      count: how many operations.
      fill: colour (0 to 255) of what comes in from beyond the border.
    """

    def __init__(
        self,
        magnitude: float = 7.0,
        deviation: float = 0.5,
        count: int = 2,
        fill: Sequence[int] = (124, 116, 104),
    ):
        self.magnitude, self.deviation, self.count = magnitude, deviation, count

        def enhanced(operation: Operation) -> Operation:
            return lambda p, m: operation(p, tf.maximum(1 + 0.09 * m, 0.1))

        # Each takes a magnitude from -10 to 10; those without a sign take its absolute value.
        self.operations: dict[str, Operation] = {
            'autocontrast': lambda p, m: ops.autocontrast(p),
            'equalize': lambda p, m: ops.equalize(p),
            'invert': lambda p, m: ops.invert(p),
            'rotate': lambda p, m: ops.rotate(p, 3 * m, fill),
            'posterize': lambda p, m: ops.posterize(p, 4 - tf.floor(0.4 * tf.abs(m))),
            'solarize': lambda p, m: ops.solarize(p, 256 - tf.floor(25.6 * tf.abs(m))),
            'solarize_add': lambda p, m: ops.solarize_add(p, 11 * tf.abs(m)),
            'color': enhanced(ops.color),
            'contrast': enhanced(ops.contrast),
            'brightness': enhanced(ops.brightness),
            'sharpness': enhanced(ops.sharpness),
            'shear_x': lambda p, m: ops.shear_x(p, 0.03 * m, fill),
            'shear_y': lambda p, m: ops.shear_y(p, 0.03 * m, fill),
            'translate_x': lambda p, m: ops.translate_x(p, 0.045 * m * _side(p, 1), fill),
            'translate_y': lambda p, m: ops.translate_y(p, 0.045 * m * _side(p, 0), fill),
        }

    def __call__(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the augmented image [height, width, 3], float32 from 0 to 1."""

        def augmented(picture: tf.Tensor) -> tf.Tensor:
            for one in images.split(seed, self.count):
                seeds = images.split(one, 4)
                magnitude = tf.random.stateless_normal([], seeds[0], self.magnitude, self.deviation)
                magnitude = tf.clip_by_value(magnitude, 0, 10)
                magnitude = tf.where(_uniform(seeds[1], 2) == 1, -magnitude, magnitude)
                chosen = _uniform(seeds[2], len(self.operations))
                # The operation after the last leaves the picture as it is.
                skipped = _uniform(seeds[3], 2) == 1
                operations = [*self.operations.values(), lambda p, m: p]
                chosen = tf.where(skipped, len(self.operations), chosen)
                picture = _applied(operations, chosen, picture, magnitude)
            return picture

        return _through_8_bits(image, augmented)


def _uniform(seed: tf.Tensor, count: int) -> tf.Tensor:
    return tf.random.stateless_uniform([], seed, maxval=count, dtype=tf.int32)


def _whole(magnitude: tf.Tensor) -> tf.Tensor:
    """Truncates towards zero."""
    return tf.cast(tf.cast(magnitude, tf.int32), tf.float32)


def _side(picture: tf.Tensor, axis: int) -> tf.Tensor:
    return tf.cast(tf.shape(picture)[axis], tf.float32)


def _applied(
    operations: Sequence[Operation], chosen: tf.Tensor, picture: tf.Tensor, magnitude: tf.Tensor
) -> tf.Tensor:
    """Runs the chosen operation, and only that."""
    branches = [lambda o=operation: o(picture, magnitude) for operation in operations]
    return tf.switch_case(chosen, branches)


def _through_8_bits(image: tf.Tensor, operation: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    picture = tf.cast(tf.clip_by_value(tf.round(image * 255), 0, 255), tf.uint8)
    return tf.ensure_shape(tf.cast(operation(picture), tf.float32) / 255, image.shape)
