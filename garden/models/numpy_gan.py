"""The networks of a GAN in plain NumPy (Goodfellow et al., arXiv:1406.2661)."""

import itertools
import math
from collections.abc import Sequence

from garden.core.registry import register
from garden.models.numpy_layers import Layer, LeakyReLU, Linear, Network, Reshape, Tanh


@register('models', 'numpy_generator')
def numpy_generator(
    image_size: int = 28,
    channels: int = 1,
    latent_size: int = 64,
    widths: Sequence[int] = (128, 128),
    slope: float = 0.2,
) -> Network:
    """Maps codes [batch, latent_size] to images [batch, image_size, image_size, channels], -1 to 1.

    Args:
      image_size: height and width of the images.
      channels: channels of the images.
      latent_size: width of the codes.
      widths: units of the hidden layers.
      slope: of the hidden units below zero.
    """
    shape = (image_size, image_size, channels)
    layers = _perceptron((latent_size, *widths, math.prod(shape)), slope)
    return Network([*layers, Tanh(), Reshape(shape)])


@register('models', 'numpy_discriminator')
def numpy_discriminator(
    image_size: int = 28,
    channels: int = 1,
    widths: Sequence[int] = (128, 128),
    slope: float = 0.2,
) -> Network:
    """Maps images [batch, image_size, image_size, channels] to logits [batch, 1].

    Args:
      image_size: height and width of the images.
      channels: channels of the images.
      widths: units of the hidden layers.
      slope: of the hidden units below zero.
    """
    size = image_size * image_size * channels
    return Network([Reshape((size,)), *_perceptron((size, *widths, 1), slope)])


def _perceptron(widths: Sequence[int], slope: float) -> list[Layer]:
    """Returns linear layers with a leaky ReLU between each two; the last is linear.

    Hidden weights keep the variance of what passes through a leaky ReLU (He et al.,
    arXiv:1502.01852, section 2.2).
    """
    *hidden, last = itertools.pairwise(widths)
    layers: list[Layer] = []
    for inputs, outputs in hidden:
        layers += [Linear(inputs, outputs, gain=2 / (1 + slope**2)), LeakyReLU(slope)]
    return [*layers, Linear(*last)]
