"""Deep convolutional adversarial networks (Radford et al., arXiv:1511.06434).

The paper's guidelines, all of which hold for any arguments: strides in place of pooling, in the
generator fractional ones; batch normalisation everywhere but on the generator's output and the
discriminator's first layer; no hidden layer is fully connected; ReLU in the generator but for tanh
at its output; LeakyReLU with slope 0.2 in the discriminator. Weights start from N(0, 0.02).
"""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.registry import register
from garden.layers.synchronized_norm import synchronized_norm
from garden.ops.activation import leaky_relu
from garden.ops.conditioning import with_labels

_SLOPE = 0.2


@register('models', 'dcgan_generator')
class DCGANGenerator(keras.Model):
    """Maps codes [batch, latent_size] to images [batch, size, size, channels], in -1 to 1.

    Args:
      image_size: height and width of the images, a multiple of 2 to the number of widths.
      channels: channels of the images.
      latent_size: width of the codes.
      widths: channels of the feature maps, the smallest maps first; each stage doubles their side.
      kernel_size: side of the kernels.
      unit_norm: whether the first maps are normalised unit by unit, as in the paper's code, or
        channel by channel.
      bias: whether the output layer has a bias.
      num_classes: the classes that a sample can be asked for; None for a generator without.
      every_layer: whether every layer is told the class, or the first only.

    Raises:
      UserError: if the image size does not fit the widths.
    """

    def __init__(
        self,
        image_size: int = 64,
        channels: int = 3,
        latent_size: int = 100,
        widths: Sequence[int] = (1024, 512, 256, 128),
        kernel_size: int = 5,
        unit_norm: bool = True,
        bias: bool = False,
        num_classes: int | None = None,
        every_layer: bool = False,
    ):
        super().__init__()
        side = _smallest_side('dcgan_generator', image_size, widths)
        self.image_shape = (image_size, image_size, channels)
        self.latent_size = latent_size
        self.num_classes = num_classes
        self._classes_inside = num_classes if every_layer else None
        self._unit_norm = unit_norm
        self.project = keras.layers.Dense(
            side * side * widths[0], use_bias=False, kernel_initializer=_normal()
        )
        self.maps = keras.layers.Reshape((side, side, widths[0]))
        self.norms = [synchronized_norm() for _ in widths]
        self.stages = [
            keras.layers.Conv2DTranspose(
                width, kernel_size, 2, 'same', use_bias=use_bias, kernel_initializer=_normal()
            )
            for width, use_bias in [*((w, False) for w in widths[1:]), (channels, bias)]
        ]

    def call(
        self, codes: tf.Tensor, labels: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Returns the images."""
        x = self.project(with_labels(codes, labels, self.num_classes))
        steps = (self.norms[0], self.maps) if self._unit_norm else (self.maps, self.norms[0])
        for step in steps:
            x = step(x, training=training) if step is self.norms[0] else step(x)
        for stage, norm in zip(self.stages, [*self.norms[1:], None], strict=True):
            x = stage(with_labels(tf.nn.relu(x), labels, self._classes_inside))
            x = x if norm is None else norm(x, training=training)
        return tf.tanh(x)


@register('models', 'dcgan_discriminator')
class DCGANDiscriminator(keras.Model):
    """Maps images [batch, size, size, channels] to logits [batch]: how real they look.

    Args:
      widths: channels of the feature maps, the largest maps first; each stage halves their side.
      kernel_size: side of the kernels.
      bias: whether the first and the last layer have biases; those between have normalisation.
      num_classes: the classes that images come with; None for none.
      every_layer: whether every layer is told the class, or the first only.
    """

    def __init__(
        self,
        widths: Sequence[int] = (128, 256, 512, 1024),
        kernel_size: int = 5,
        bias: bool = False,
        num_classes: int | None = None,
        every_layer: bool = False,
    ):
        super().__init__()
        self.num_classes = num_classes
        self._classes_inside = num_classes if every_layer else None
        self.stages = [
            keras.layers.Conv2D(
                width,
                kernel_size,
                2,
                'same',
                use_bias=bias and not number,
                kernel_initializer=_normal(),
            )
            for number, width in enumerate(widths)
        ]
        self.norms = [synchronized_norm() for _ in widths[1:]]
        self.flatten = keras.layers.Flatten()
        self.logit = keras.layers.Dense(1, use_bias=bias, kernel_initializer=_normal())

    def call(
        self, images: tf.Tensor, labels: tf.Tensor | None = None, training: bool | None = None
    ) -> tf.Tensor:
        """Returns the logits."""
        x = self.stages[0](with_labels(images, labels, self.num_classes))
        for stage, norm in zip(self.stages[1:], self.norms, strict=True):
            x = with_labels(leaky_relu(x, _SLOPE), labels, self._classes_inside)
            x = norm(stage(x), training=training)
        x = self.flatten(leaky_relu(x, _SLOPE))
        return self.logit(with_labels(x, labels, self._classes_inside))[:, 0]


def _smallest_side(name: str, image_size: int, widths: Sequence[int]) -> int:
    halvings = 2 ** len(widths)
    if image_size % halvings:
        raise UserError(
            f'{name} doubles the side {len(widths)} times, once for each of its widths: an '
            f'image_size of {image_size} is no multiple of {halvings}.'
        )
    return image_size // halvings


def _normal() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(0.0, 0.02)
