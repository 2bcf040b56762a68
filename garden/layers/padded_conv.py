"""Convolutions whose borders are PyTorch's: the same number of pixels on all four sides.

TensorFlow's 'same' pads unequally where the stride is even, so weights of published networks need
these.
"""

from typing import Any

import tensorflow as tf
import tf_keras as keras


class PaddedConv2D(keras.layers.Conv2D):
    """A convolution of an image that is padded by `border` pixels on each side.

    Args:
      filters: number of output channels.
      kernel_size: side of the kernel.
      strides: stride along both axes.
      border: pixels added on each side; with 'REFLECT' fewer than the image has.
      mode: what they hold: 'CONSTANT' for zeros, 'REFLECT' for the image mirrored at its outermost
        pixels.
      use_bias: whether a bias is added.
      stddev: of the normal distribution that the kernel is drawn from.
      **kwargs: `name`, `dtype` and `trainable` of a Keras layer.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        border: int = 0,
        mode: str = 'CONSTANT',
        use_bias: bool = True,
        stddev: float = 0.02,
        **kwargs: Any,
    ):
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            use_bias=use_bias,
            kernel_initializer=keras.initializers.RandomNormal(stddev=stddev),
            **kwargs,
        )
        self._border = border
        self._mode = mode

    def build(self, input_shape: tf.TensorShape) -> None:
        """Creates the weights for images [batch, height, width, channels]."""
        batch, height, width, channels = input_shape
        padded = [side and side + 2 * self._border for side in (height, width)]
        super().build(tf.TensorShape([batch, *padded, channels]))

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [batch, height, width, channels] to [batch, height', width', filters]."""
        around = [self._border] * 2
        return super().call(tf.pad(inputs, [[0, 0], around, around, [0, 0]], self._mode))


class CroppedConvTranspose2D(keras.layers.Conv2DTranspose):
    """A transposed convolution that loses pixels at its borders, as PyTorch's.

    A height h becomes strides * (h - 1) + kernel_size - 2 * crop + extra. Keras' 'same' would take
    an odd number of pixels from the end, where PyTorch takes them from the start.

    Args:
      filters: number of output channels.
      kernel_size: side of the kernel.
      strides: stride along both axes.
      crop: pixels taken away on each side (PyTorch's `padding`).
      extra: pixels that stay at the end nevertheless (`output_padding`), at most `crop`.
      use_bias: whether a bias is added.
      stddev: of the normal distribution that the kernel is drawn from.
      **kwargs: `name`, `dtype` and `trainable` of a Keras layer.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        crop: int = 0,
        extra: int = 0,
        use_bias: bool = True,
        stddev: float = 0.02,
        **kwargs: Any,
    ):
        super().__init__(
            filters,
            kernel_size,
            strides=strides,
            use_bias=use_bias,
            kernel_initializer=keras.initializers.RandomNormal(stddev=stddev),
            **kwargs,
        )
        self._kept = slice(crop, extra - crop or None)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [batch, height, width, channels] to [batch, height', width', filters]."""
        return super().call(inputs)[:, self._kept, self._kept]
