"""Fully connected adversarial networks (Goodfellow et al., arXiv:1406.2661)."""

import math
from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.registry import register
from garden.ops.conditioning import with_labels

_OUTPUTS = {'tanh': tf.tanh, 'sigmoid': tf.sigmoid}


@register('models', 'mlp_generator')
class MLPGenerator(keras.Model):
    """Maps codes [batch, latent_size] to images [batch, image_size, image_size, channels].

    Args:
      image_size: height and width of the images.
      channels: channels of the images.
      latent_size: width of the codes.
      widths: units of the hidden layers.
      slope: of the hidden units below zero; 0 for ReLU.
      output: 'tanh' for images in -1 to 1, 'sigmoid' for 0 to 1.
      num_classes: the classes that a sample can be asked for; None for a generator without.
      weight_range: weights start uniform within +- this; None for Glorot's range.

    Raises:
      UserError: for another output.
    """

    def __init__(
        self,
        image_size: int = 28,
        channels: int = 1,
        latent_size: int = 100,
        widths: Sequence[int] = (1200, 1200),
        slope: float = 0.0,
        output: str = 'tanh',
        num_classes: int | None = None,
        weight_range: float | None = None,
    ):
        super().__init__()
        if output not in _OUTPUTS:
            raise UserError(f"mlp_generator.output is 'tanh' or 'sigmoid', not {output!r}.")
        self.image_shape = (image_size, image_size, channels)
        self.latent_size = latent_size
        self.num_classes = num_classes
        self._slope = slope
        self._output = _OUTPUTS[output]
        self.hidden = [_dense(width, weight_range) for width in widths]
        self.pixels = _dense(math.prod(self.image_shape), weight_range)

    def call(
        self, codes: tf.Tensor, labels: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Returns the images."""
        del training
        x = with_labels(codes, labels, self.num_classes)
        for layer in self.hidden:
            x = tf.nn.leaky_relu(layer(x), self._slope)
        return tf.reshape(self._output(self.pixels(x)), [-1, *self.image_shape])


@register('models', 'mlp_discriminator')
class MLPDiscriminator(keras.Model):
    """Maps images of any shape to logits [batch]: how real they look.

    Args:
      widths: units of the hidden layers.
      slope: of the hidden units below zero; 0 for ReLU.
      pieces: with 2 or more, each unit is the largest of so many linear ones (maxout,
        arXiv:1302.4389), and `slope` has no part.
      input_dropout: share of the pixels that training leaves out.
      dropout: share of the hidden units that training leaves out.
      num_classes: the classes that images come with; None for none.
      weight_range: weights start uniform within +- this; None for Glorot's range.
    """

    def __init__(
        self,
        widths: Sequence[int] = (240, 240),
        slope: float = 0.2,
        pieces: int = 1,
        input_dropout: float = 0.0,
        dropout: float = 0.0,
        num_classes: int | None = None,
        weight_range: float | None = None,
    ):
        super().__init__()
        self.num_classes = num_classes
        self._slope = slope
        self._pieces = pieces
        self.flatten = keras.layers.Flatten()
        self.hidden = [_dense(width * pieces, weight_range) for width in widths]
        self.dropouts = [keras.layers.Dropout(r) for r in (input_dropout, *[dropout] * len(widths))]
        self.logit = _dense(1, weight_range)

    def call(
        self, images: tf.Tensor, labels: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Returns the logits."""
        x = with_labels(self.flatten(images), labels, self.num_classes)
        x = self.dropouts[0](x, training=training)
        for layer, dropout in zip(self.hidden, self.dropouts[1:], strict=True):
            x = dropout(self._activated(layer(x)), training=training)
        return self.logit(x)[:, 0]

    def _activated(self, x: tf.Tensor) -> tf.Tensor:
        if self._pieces == 1:
            return tf.nn.leaky_relu(x, self._slope)
        return tf.reduce_max(tf.reshape(x, [-1, x.shape[-1] // self._pieces, self._pieces]), -1)


def _dense(units: int, weight_range: float | None) -> keras.layers.Dense:
    if weight_range is None:
        return keras.layers.Dense(units)
    initializer = keras.initializers.RandomUniform(-weight_range, weight_range)
    return keras.layers.Dense(units, kernel_initializer=initializer)
