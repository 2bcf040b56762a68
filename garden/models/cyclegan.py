"""The networks of CycleGAN (Zhu et al., arXiv:1703.10593, appendix 7.2)."""

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.registry import register
from garden.layers.instance_norm import InstanceNorm
from garden.layers.padded_conv import CroppedConvTranspose2D, PaddedConv2D
from garden.ops.activation import leaky_relu

_LEAK = 0.2


class _Residual(keras.layers.Layer):
    """Two convolutions beside an identity, with no ReLU after the sum (arXiv:1703.10593)."""

    def __init__(self, filters: int, name: str):
        super().__init__(name=name)
        self.conv1, self.conv2 = (
            PaddedConv2D(filters, 3, border=1, mode='REFLECT', name=f'conv{i}') for i in (1, 2)
        )
        self.norm = InstanceNorm()

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [batch, height, width, filters] to the same shape."""
        inner = tf.nn.relu(self.norm(self.conv1(inputs)))
        return inputs + self.norm(self.conv2(inner))


@register('models', 'cyclegan_generator')
class CycleGANGenerator(keras.Model):
    """Turns images of one domain into images of another: down, residual blocks, up.

    Instance normalisation has no scale and offset, so the convolutions before it keep their biases,
    as in the authors' PyTorch code. 9 blocks: 11,378,179 weights; 6: 7,837,699.

    Args:
      input_channels: of the images taken.
      channels: of the images returned, which lie between -1 and 1.
      blocks: residual blocks; the paper takes 6 for images of 128 pixels and 9 for larger ones.
      filters: of the first convolution; doubled by each halving of the image.
      halvings: how often the sides are halved; they are to be multiples of 2^halvings.
    """

    def __init__(
        self,
        input_channels: int = 3,
        channels: int = 3,
        blocks: int = 9,
        filters: int = 64,
        halvings: int = 2,
    ):
        super().__init__()
        widths = [filters * 2**i for i in range(halvings + 1)]
        self.stem = PaddedConv2D(filters, 7, border=3, mode='REFLECT', name='stem')
        self.down = [
            PaddedConv2D(width, 3, 2, border=1, name=f'down{i}')
            for i, width in enumerate(widths[1:], 1)
        ]
        self.blocks = [_Residual(widths[-1], name=f'block{i + 1}') for i in range(blocks)]
        self.up = [
            CroppedConvTranspose2D(width, 3, 2, crop=1, extra=1, name=f'up{i}')
            for i, width in enumerate(reversed(widths[:-1]), 1)
        ]
        self.head = PaddedConv2D(channels, 7, border=3, mode='REFLECT', name='head')
        self.norm = InstanceNorm()
        self._multiple = 2**halvings
        self.build((None, None, None, input_channels))

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Maps images [batch, height, width, input_channels] to [..., channels].

        Raises:
          UserError: if a side cannot be halved as often as asked.
        """
        sides = images.shape[1:3]
        if any(side is not None and side % self._multiple for side in sides):
            raise UserError(
                f'cyclegan_generator: the sides of an image are multiples of {self._multiple}, '
                f'which {sides[0]} x {sides[1]} are not.'
            )
        maps = images
        for convolution in (self.stem, *self.down):
            maps = tf.nn.relu(self.norm(convolution(maps)))
        for block in self.blocks:
            maps = block(maps)
        for convolution in self.up:
            maps = tf.nn.relu(self.norm(convolution(maps)))
        return tf.cast(tf.tanh(self.head(maps)), tf.float32)


@register('models', 'patchgan')
class PatchGAN(keras.Model):
    """Tells for each patch of an image whether it is real (arXiv:1611.07004, section 3.2.2).

    The patches overlap: of `layers` 1 to 5 they have 16, 34, 70, 142 or 286 pixels a side. 3 layers
    of 64 filters: 2,764,737 weights.

    Args:
      input_channels: of the images taken.
      filters: of the first convolution; doubled by each further one up to 8-fold.
      layers: convolutions of stride 2.
      normalize: whether there is instance normalisation, after all convolutions but the first and
        the last.
    """

    def __init__(
        self,
        input_channels: int = 3,
        filters: int = 64,
        layers: int = 3,
        normalize: bool = True,
    ):
        super().__init__()
        strides = [2] * layers + [1]
        self.convolutions = [
            PaddedConv2D(filters * min(2**i, 8), 4, stride, border=1, name=f'conv{i + 1}')
            for i, stride in enumerate(strides)
        ]
        self.logits = PaddedConv2D(1, 4, border=1, name=f'conv{layers + 2}')
        self.norm = InstanceNorm() if normalize else None
        self.build((None, None, None, input_channels))

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Maps images [batch, height, width, input_channels] to logits [..., 1]."""
        maps = images
        for i, convolution in enumerate(self.convolutions):
            maps = convolution(maps)
            if i and self.norm is not None:
                maps = self.norm(maps)
            maps = leaky_relu(maps, _LEAK)
        return tf.cast(self.logits(maps), tf.float32)
