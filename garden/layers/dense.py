"""Images to features and back, by dense layers."""

from collections.abc import Sequence

import numpy as np
import tf_keras as keras


def dense_encoder(
    image_shape: Sequence[int], widths: Sequence[int], activation: str
) -> keras.Sequential:
    """Returns a built network from images to features, [batch, widths[-1]].

    Args:
      image_shape: height, width and channels.
      widths: of its layers; without any, the features are the pixels.
      activation: of every layer.
    """
    layers = [keras.layers.Dense(width, activation) for width in widths]
    encoder = keras.Sequential([keras.layers.Flatten(), *layers], name='encoder')
    encoder.build([None, *image_shape])
    return encoder


def dense_decoder(
    code_size: int,
    widths: Sequence[int],
    activation: str,
    image_shape: Sequence[int],
    output_activation: str = 'linear',
    output_initializer: str = 'glorot_uniform',
) -> keras.Sequential:
    """Returns a built network from codes [batch, code_size] to images.

    Args:
      code_size: the length of a code.
      widths: of the layers before the last.
      activation: of these.
      image_shape: height, width and channels.
      output_activation: of the last layer.
      output_initializer: of the last layer's matrix.
    """
    layers = [keras.layers.Dense(width, activation) for width in widths]
    pixels = int(np.prod(image_shape))
    output = keras.layers.Dense(pixels, output_activation, kernel_initializer=output_initializer)
    decoder = keras.Sequential([*layers, output, keras.layers.Reshape(image_shape)], name='decoder')
    decoder.build([None, code_size])
    return decoder
