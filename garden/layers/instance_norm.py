"""Instance normalisation (Ulyanov et al., arXiv:1607.08022)."""

import tensorflow as tf
import tf_keras as keras

_EPSILON = 1e-5


class InstanceNorm(keras.layers.Layer):
    """Gives each channel of each image mean 0 and variance 1; it has no weights.

    One object serves maps of any number of channels, which Keras' GroupNormalization does not. A
    map of one pixel becomes 0. Epsilon is PyTorch's.
    """

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Maps [batch, height, width, channels] to the same shape."""
        maps = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(maps, [1, 2], keepdims=True)
        return tf.cast((maps - mean) * tf.math.rsqrt(variance + _EPSILON), inputs.dtype)
