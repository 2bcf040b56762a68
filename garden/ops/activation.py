"""Activation functions."""

import tensorflow as tf


def leaky_relu(inputs: tf.Tensor, leak: float) -> tf.Tensor:
    """Returns max(x, leak * x), for a leak from 0 to 1.

    It is not tf.nn.leaky_relu, which TensorFlow's optimizer of graphs joins to the convolution
    before it, fails at that where both are part of a branch, and says so as an error.
    """
    return tf.maximum(inputs, leak * inputs)
