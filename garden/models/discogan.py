"""The networks of DiscoGAN (Kim et al., arXiv:1703.05192) and of smaller relatives."""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register
from garden.layers.instance_norm import InstanceNorm
from garden.layers.padded_conv import CroppedConvTranspose2D, PaddedConv2D
from garden.ops.activation import leaky_relu

_NORMS = ('batch', 'instance')
_OUTPUTS = {'tanh': tf.tanh, 'sigmoid': tf.sigmoid}


@register('models', 'discogan_generator')
class DiscoGANGenerator(keras.Model):
    """Turns images of one domain into images of another: an encoder, then a decoder.

    The default for images of 64 pixels has 5,513,856 weights, 7,153,480 with a bottleneck of 100.
    MNIST to SVHN: widths (64, 128), middle 2, leaks 0.05, norm_first, output 'tanh'.

    Args:
      input_channels: of the images taken.
      channels: of the images returned.
      widths: filters of the encoder's convolutions, each of which halves the image; the decoder has
        them in reverse.
      middle: 3 x 3 convolutions between the two.
      bottleneck: numbers that an image of 4 x 4 x widths[-1] is squeezed through; None for no such
        squeeze.
      norm: 'batch' or 'instance'; convolutions have no biases.
      norm_first: whether the first convolution is normalised as the others are.
      leak: slope of the encoder's rectifiers (and of the middle's) below 0.
      decoder_leak: that of the decoder's.
      output: 'sigmoid' for images between 0 and 1, 'tanh' for -1 to 1.

    Raises:
      UserError: for an unknown norm or output.
    """

    def __init__(
        self,
        input_channels: int = 3,
        channels: int = 3,
        widths: Sequence[int] = (64, 128, 256, 512),
        middle: int = 0,
        bottleneck: int | None = None,
        norm: str = 'batch',
        norm_first: bool = False,
        leak: float = 0.2,
        decoder_leak: float = 0.0,
        output: str = 'sigmoid',
    ):
        super().__init__()
        if output not in _OUTPUTS:
            raise UserError(
                f'discogan_generator.output is one of {", ".join(_OUTPUTS)}; {output!r} is not.'
                f'{did_you_mean(output, _OUTPUTS)}'
            )
        encoder = [_down(width, f'down{i}') for i, width in enumerate(widths, 1)]
        encoder += [
            PaddedConv2D(widths[-1], 3, border=1, use_bias=False, name=f'middle{i + 1}')
            for i in range(middle)
        ]
        decoder = [_up(width, f'up{i}') for i, width in enumerate(widths[-2::-1], 1)]
        if bottleneck is not None:
            encoder.append(PaddedConv2D(bottleneck, 4, use_bias=False, name='squeeze'))
            decoder.insert(0, CroppedConvTranspose2D(widths[-1], 4, use_bias=False, name='expand'))
        self.encoder, self.decoder = encoder, decoder
        self.head = _up(channels, f'up{len(widths)}')
        normalised = encoder if norm_first else encoder[1:]
        self.encoder_norms = [_norm(norm, convolution.name) for convolution in normalised]
        self.decoder_norms = [_norm(norm, convolution.name) for convolution in decoder]
        self._leak, self._decoder_leak = leak, decoder_leak
        self._output = _OUTPUTS[output]
        side = None if bottleneck is None else 4 * 2 ** len(widths)
        self.build((None, side, side, input_channels))

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Maps images [batch, height, width, input_channels] to [..., channels]."""
        maps = images
        bare = len(self.encoder) - len(self.encoder_norms)
        norms = [tf.identity] * bare + list(self.encoder_norms)
        for convolution, norm in zip(self.encoder, norms, strict=True):
            maps = leaky_relu(norm(convolution(maps)), self._leak)
        for convolution, norm in zip(self.decoder, self.decoder_norms, strict=True):
            maps = leaky_relu(norm(convolution(maps)), self._decoder_leak)
        return self._output(tf.cast(self.head(maps), tf.float32))


@register('models', 'discogan_discriminator')
class DiscoGANDiscriminator(keras.Model):
    """Tells whether an image is real, and shows what it sees.

    The default for images of 64 pixels has 2,765,568 weights.

    Args:
      input_channels: of the images taken.
      widths: filters of the convolutions, each of which halves the image; what they leave is to
        have 4 pixels a side.
      norm: 'batch' or 'instance', after all but the first convolution; there are no biases.
      leak: slope of the rectifiers below 0.

    Raises:
      UserError: for an unknown norm.
    """

    def __init__(
        self,
        input_channels: int = 3,
        widths: Sequence[int] = (64, 128, 256, 512),
        norm: str = 'batch',
        leak: float = 0.2,
    ):
        super().__init__()
        self.convolutions = [_down(width, f'conv{i}') for i, width in enumerate(widths, 1)]
        self.norms = [_norm(norm, layer.name) for layer in self.convolutions[1:]]
        self.head = PaddedConv2D(1, 4, use_bias=False, name='head')
        self._leak = leak
        self.build((None, None, None, input_channels))

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Maps images [batch, side, side, input_channels] to logits [batch, 1, 1, 1]."""
        return self.seen(images)[0]

    def seen(
        self, images: tf.Tensor, training: bool | None = None
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Returns the logits and the maps of all convolutions but the first."""
        maps = leaky_relu(self.convolutions[0](images), self._leak)
        features = []
        for convolution, norm in zip(self.convolutions[1:], self.norms, strict=True):
            maps = leaky_relu(norm(convolution(maps), training=training), self._leak)
            features.append(maps)
        return tf.cast(self.head(maps), tf.float32), features


def _down(width: int, name: str) -> PaddedConv2D:
    return PaddedConv2D(width, 4, 2, border=1, use_bias=False, name=name)


def _up(width: int, name: str) -> CroppedConvTranspose2D:
    return CroppedConvTranspose2D(width, 4, 2, crop=1, use_bias=False, name=name)


def _norm(kind: str, convolution: str) -> keras.layers.Layer:
    """Returns the normalisation that follows a convolution, with PyTorch's constants."""
    if kind not in _NORMS:
        raise UserError(
            f'The norm of a network is one of {", ".join(_NORMS)}; {kind!r} is not.'
            f'{did_you_mean(kind, _NORMS)}'
        )
    name = f'{convolution}_norm'
    if kind == 'instance':
        return InstanceNorm(name=name)
    return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)
