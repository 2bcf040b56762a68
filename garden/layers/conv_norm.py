"""A convolution with batch normalisation, the unit that most convolutional networks repeat."""

from typing import Any

import tensorflow as tf
import tf_keras as keras

from garden.layers.grouped_conv import GroupedConv2D


class ConvNorm(keras.layers.Layer):
    """Convolution without bias, batch normalisation, and a ReLU unless `activation` is False.

    The kernel is drawn from N(0, sqrt(2 / fan_out)) with fan_out = kernel_size^2 * filters, not
    divided by the groups (as pycls and torchvision have it; timm divides).

    Args:
      filters: number of output channels.
      kernel_size: side of the kernel, odd; the padding is symmetric.
      strides: stride along both axes.
      groups: number of groups of channels.
      activation: whether a ReLU follows.
      epsilon: added to the variance.
      momentum: weight of the old value in the moving statistics (1 - PyTorch's momentum).
      synchronized: whether batch statistics are taken over all replicas.
      implementation: of the convolution, see `GroupedConv2D`.
      **kwargs: `name`, `dtype` and `trainable` of a Keras layer.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        strides: int = 1,
        groups: int = 1,
        activation: bool = True,
        epsilon: float = 1e-5,
        momentum: float = 0.9,
        synchronized: bool = False,
        implementation: str = 'auto',
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.conv = GroupedConv2D(
            filters,
            kernel_size,
            groups=groups,
            strides=strides,
            kernel_initializer=fan_out_normal(),
            implementation=implementation,
            name='conv',
        )
        self.bn = keras.layers.BatchNormalization(
            momentum=momentum, epsilon=epsilon, synchronized=synchronized, name='bn'
        )
        self.activation = activation

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Maps [batch, height, width, channels] to [batch, height', width', filters]."""
        outputs = self.bn(self.conv(inputs), training=training)
        return tf.nn.relu(outputs) if self.activation else outputs


def fan_out_normal() -> keras.initializers.Initializer:
    """Returns a new initialiser N(0, sqrt(2 / fan_out)) (arXiv:1502.01852, section 2.2).

    One for each layer: an unseeded initialiser of Keras gives equal values when it is used again.
    """
    return keras.initializers.VarianceScaling(2.0, 'fan_out', 'untruncated_normal')
