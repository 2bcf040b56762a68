"""Autoencoders of dense layers: an image, a code, the image again.

`Autoencoder` with its defaults is the network of the first models of TensorFlow (tensorflow/models,
research/autoencoder), with an output that can be negative.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.registry import register
from garden.layers.dense import dense_decoder, dense_encoder


@register('models', 'autoencoder')
class Autoencoder(keras.Model):
    """Maps images [batch, height, width, channels] to their reconstructions, of the same shape.

    Args:
      image_shape: height, width and channels of an image.
      encoder: the widths of the encoder's layers; the last is the length of the code.
      decoder: the widths of the layers between code and image; None for the encoder's in reverse.
      activation: of every layer but the last.
      output_activation: of the last layer. 'softplus' cannot be negative, 'sigmoid' stays within 0
        and 1: neither can reproduce standardised images.
      output_initializer: of the last matrix. From 'zeros', no gradient reaches the layers below in
        the first step.

    Raises:
      UserError: if the encoder has no layer.
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        encoder: Sequence[int] = (200,),
        decoder: Sequence[int] | None = None,
        activation: str = 'softplus',
        output_activation: str = 'linear',
        output_initializer: str = 'glorot_uniform',
    ):
        super().__init__()
        if not encoder:
            raise UserError('autoencoder.encoder needs at least one width: the length of the code.')
        if decoder is None:
            decoder = tuple(reversed(encoder[:-1]))
        self.image_shape = tuple(image_shape)
        self.code_size = encoder[-1]
        self.encoder = dense_encoder(image_shape, encoder, activation)
        self.decoder = dense_decoder(
            self.code_size, decoder, activation, image_shape, output_activation, output_initializer
        )

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the reconstructions."""
        return self.decode(self.encode(images))

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the codes [batch, code_size]."""
        return self.encoder(images)

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the images that codes [batch, code_size] stand for."""
        return self.decoder(codes)

    def filters(self) -> np.ndarray:
        """Returns what each unit of the first layer looks for: float [units, h, w, channels]."""
        kernel = self.encoder.layers[1].kernel.numpy()
        return kernel.T.reshape(-1, *self.image_shape)
