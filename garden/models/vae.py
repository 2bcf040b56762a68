"""Variational autoencoders: dense, as of Kingma and Welling (arXiv:1312.6114), and convolutional.

The decoder's outputs are the parameters of a likelihood (see garden/losses/likelihood.py): logits
or means.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.registry import register
from garden.layers.dense import dense_decoder, dense_encoder


class VariationalAutoencoder(keras.Model):
    """Encodes an image as a Gaussian with independent latents, and decodes a draw from it.

    Args:
      image_shape: height, width and channels of an image.
      latents: length of the code.
      encoder: maps images to features [batch, n].
      decoder: maps codes [batch, latents] to outputs of the shape of images.
      log_variance_limit: the log variance of the code stays within plus and minus this.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        latents: int,
        encoder: keras.Model,
        decoder: keras.Model,
        log_variance_limit: float,
    ):
        super().__init__()
        self.image_shape = tuple(image_shape)
        self.latents = latents
        self.encoder = encoder
        self.decoder = decoder
        self.mean = keras.layers.Dense(latents, name='mean')
        self.log_variance = keras.layers.Dense(latents, name='log_variance')
        self._limit = log_variance_limit
        encoder.build([None, *image_shape])
        decoder.build([None, latents])
        for head in (self.mean, self.log_variance):
            head.build(encoder.output_shape)

    def call(self, images: tf.Tensor, noise: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Encodes images, draws codes and decodes them.

        Args:
          images: [batch, height, width, channels].
          noise: standard normal [batch, latents].

        Returns:
          The outputs [batch, height, width, channels]; mean and log variance [batch, latents].
        """
        mean, log_variance = self.encode(images)
        return self.decode(mean + tf.exp(0.5 * log_variance) * noise), mean, log_variance

    def encode(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean and log variance of the codes, float32 [batch, latents]."""
        features = self.encoder(images)
        log_variance = tf.cast(self.log_variance(features), tf.float32)
        log_variance = tf.clip_by_value(log_variance, -self._limit, self._limit)
        return tf.cast(self.mean(features), tf.float32), log_variance

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the outputs for codes [batch, latents]."""
        return self.decoder(codes)


@register('models', 'dense_vae')
class DenseVAE(VariationalAutoencoder):
    """A variational autoencoder of dense layers; see the base class.

    Args:
      image_shape: height, width and channels of an image.
      latents: length of the code.
      hidden: the widths of the encoder's hidden layers; the decoder has them in reverse. None makes
        encoder and decoder linear.
      activation: of the hidden layers.
      output_initializer: of the last matrix. From 'zeros', no gradient of the reconstruction
        reaches what lies below in the first step.
      log_variance_limit: the log variance of the code stays within plus and minus this.
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        latents: int = 50,
        hidden: Sequence[int] = (200, 200),
        activation: str = 'tanh',
        output_initializer: str = 'glorot_uniform',
        log_variance_limit: float = 10.0,
    ):
        encoder = dense_encoder(image_shape, hidden, activation)
        decoder = dense_decoder(
            latents,
            tuple(reversed(hidden)),
            activation,
            image_shape,
            output_initializer=output_initializer,
        )
        super().__init__(image_shape, latents, encoder, decoder, log_variance_limit)


@register('models', 'conv_vae')
class ConvVAE(VariationalAutoencoder):
    """A convolutional variational autoencoder; see the base class.

    The first convolution keeps the size of the image, each of the others halves it; the decoder
    goes the same way back.

    Args:
      image_shape: height, width and channels of an image.
      latents: length of the code.
      filters: channels of the encoder's convolutions.
      activation: of every layer but the heads and the last.
      log_variance_limit: the log variance of the code stays within plus and minus this.

    Raises:
      UserError: if the image cannot be halved that often.
    """

    def __init__(
        self,
        image_shape: Sequence[int] = (28, 28, 1),
        latents: int = 32,
        filters: Sequence[int] = (32, 64, 64),
        activation: str = 'relu',
        log_variance_limit: float = 10.0,
    ):
        height, width, channels = image_shape
        factor = 2 ** (len(filters) - 1)
        if height % factor or width % factor:
            raise UserError(
                f'conv_vae: images of {height} x {width} pixels cannot be halved '
                f'{len(filters) - 1} times; give fewer filters or another size.'
            )
        first, *others = filters
        layers = keras.layers
        encoder = keras.Sequential(
            [
                layers.Conv2D(first, 3, padding='same', activation=activation),
                *(layers.Conv2D(n, 4, 2, padding='same', activation=activation) for n in others),
                layers.Flatten(),
            ],
            name='encoder',
        )
        small = (height // factor, width // factor, filters[-1])
        decoder = keras.Sequential(
            [
                layers.Dense(int(np.prod(small)), activation),
                layers.Reshape(small),
                *(
                    layers.Conv2DTranspose(n, 4, 2, padding='same', activation=activation)
                    for n in reversed(filters[:-1])
                ),
                layers.Conv2D(channels, 3, padding='same'),
            ],
            name='decoder',
        )
        super().__init__(image_shape, latents, encoder, decoder, log_variance_limit)
