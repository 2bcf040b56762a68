"""Squeeze-and-excitation: channels scaled by what the whole map shows (arXiv:1709.01507)."""

import math
from typing import Any

import tensorflow as tf
import tf_keras as keras

from garden.layers.conv_norm import fan_out_normal
from garden.layers.grouped_conv import GroupedConv2D


class SqueezeExcitation(keras.layers.Layer):
    """Multiplies channels by sigmoid(fc2(relu(fc1(mean over the map)))).

    Initialised as in pycls and torchvision: kernels N(0, sqrt(2 / fan_out)), biases uniform in
    +-1 / sqrt(fan_in), PyTorch's default.

    Args:
      filters: channels of the input, and of the output.
      reduced_filters: channels between the two products.
      **kwargs: `name`, `dtype` and `trainable` of a Keras layer.
    """

    def __init__(self, filters: int, reduced_filters: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.fc1 = _dense(reduced_filters, filters, 'fc1')
        self.fc2 = _dense(filters, reduced_filters, 'fc2')

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Scales the channels of `inputs` [batch, height, width, filters]."""
        # In half precision a mean over a large map would lose its last digits.
        mean = tf.reduce_mean(tf.cast(inputs, tf.float32), [1, 2], keepdims=True)
        scale = self.fc2(tf.nn.relu(self.fc1(tf.cast(mean, inputs.dtype))))
        return inputs * tf.sigmoid(scale)


def _dense(filters: int, fan_in: int, name: str) -> GroupedConv2D:
    bound = 1 / math.sqrt(fan_in)
    return GroupedConv2D(
        filters,
        kernel_size=1,
        use_bias=True,
        kernel_initializer=fan_out_normal(),
        bias_initializer=keras.initializers.RandomUniform(-bound, bound),
        name=name,
    )
