"""The "standard CNN" pair for 32 x 32 images of Miyato et al. (arXiv:1802.05957, appendix B.4).

As it is in PyTorch-StudioGAN, with batch normalisation in the discriminator in place of spectral
normalisation: the network behind the published figures for a DCGAN on CIFAR-10.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.registry import register
from garden.layers.synchronized_norm import synchronized_norm
from garden.ops.conditioning import with_labels


@register('models', 'standard_cnn_generator')
class StandardCNNGenerator(keras.Model):
    """Maps codes [batch, latent_size] to images [batch, image_size, image_size, channels] in -1..1.

    Args:
      image_size: height and width of the images.
      channels: channels of the images.
      latent_size: width of the codes.
      widths: channels of the feature maps; the side doubles from each to the next.
      num_classes: the classes that a sample can be asked for; None for a generator without.

    Raises:
      UserError: if the image size does not fit the widths.
    """

    def __init__(
        self,
        image_size: int = 32,
        channels: int = 3,
        latent_size: int = 128,
        widths: Sequence[int] = (512, 256, 128, 64),
        num_classes: int | None = None,
    ):
        super().__init__()
        doublings = 2 ** (len(widths) - 1)
        if image_size % doublings:
            raise UserError(
                f'standard_cnn_generator doubles the side {len(widths) - 1} times: an image_size '
                f'of {image_size} is no multiple of {doublings}.'
            )
        side = image_size // doublings
        self.image_shape = (image_size, image_size, channels)
        self.latent_size = latent_size
        self.num_classes = num_classes
        self.project = keras.layers.Dense(side * side * widths[0], kernel_initializer=_orthogonal())
        self.maps = keras.layers.Reshape((side, side, widths[0]))
        self.stages = [
            keras.layers.Conv2DTranspose(width, 4, 2, 'same', kernel_initializer=_orthogonal())
            for width in widths[1:]
        ]
        self.norms = [synchronized_norm() for _ in self.stages]
        self.image = _convolution(channels, 3, 1)

    def call(
        self, codes: tf.Tensor, labels: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Returns the images."""
        x = self.maps(self.project(with_labels(codes, labels, self.num_classes)))
        for stage, norm in zip(self.stages, self.norms, strict=True):
            x = tf.nn.relu(norm(stage(x), training=training))
        return tf.tanh(self.image(x))


@register('models', 'standard_cnn_discriminator')
class StandardCNNDiscriminator(keras.Model):
    """Maps images [batch, size, size, channels] to logits [batch]: how real they look.

    Args:
      widths: channels of the feature maps; the side halves from each to the next.
      slope: of the units below zero.
      normalize: whether convolutions are followed by batch normalisation; a gradient penalty wants
        a discriminator without.
      num_classes: the classes that images come with; None for none.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 512),
        slope: float = 0.1,
        normalize: bool = True,
        num_classes: int | None = None,
    ):
        super().__init__()
        self.num_classes = num_classes
        self._slope = slope
        self.stages = []
        for width in widths[:-1]:
            self.stages += [_convolution(width, 3, 1), _convolution(width, 4, 2)]
        self.stages.append(_convolution(widths[-1], 3, 1))
        self.norms = [synchronized_norm() for _ in self.stages] if normalize else []
        self.logit = keras.layers.Dense(1, kernel_initializer=_orthogonal())

    def call(
        self, images: tf.Tensor, labels: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Returns the logits."""
        x: Any = with_labels(images, labels, self.num_classes)
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if self.norms:
                x = self.norms[number](x, training=training)
            x = tf.nn.leaky_relu(x, self._slope)
        return self.logit(tf.reduce_sum(x, axis=[1, 2]))[:, 0]


def _convolution(filters: int, kernel_size: int, strides: int) -> keras.layers.Conv2D:
    return keras.layers.Conv2D(
        filters, kernel_size, strides, 'same', kernel_initializer=_orthogonal()
    )


def _orthogonal() -> keras.initializers.Initializer:
    return keras.initializers.Orthogonal()
