"""The sine layer of implicit neural representations (SIREN, arXiv:2006.09661)."""

import math

import tensorflow as tf
import tf_keras as keras


class Sine(keras.layers.Layer):
    """Maps inputs [n, fan_in] to sin(omega (x W + b)), [n, units].

    The weights are drawn so that what a sine sees has variance 1 at any depth and width (section
    3.2 and supplement 1 of the paper): a sine of N(0, 1) has variance 1/2, so that fan_in of them,
    weighted by U(-c, c), have variance fan_in (c^2 / 3) (1 / 2), which is 1 for c = sqrt(6 /
    fan_in). Omega is taken out of the weights, which leaves the outputs and makes their gradient
    omega times as large. The first layer, whose inputs are coordinates, draws from U(-1 / fan_in,
    1 / fan_in), for omega to set the frequencies. Biases are those of the reference
    implementation, U(-1 / sqrt(fan_in), 1 / sqrt(fan_in)).

    Args:
      units: number of outputs.
      omega: the factor inside the sine.
      first: whether the inputs are coordinates, not the outputs of another sine.
      name: name of the layer.
    """

    def __init__(
        self, units: int, omega: float = 30.0, first: bool = False, name: str | None = None
    ):
        super().__init__(name=name)
        self.units = units
        self.omega = omega
        self.first = first

    def build(self, input_shape: tf.TensorShape) -> None:
        """Creates the weights."""
        fan_in = input_shape[-1]
        bound = 1 / fan_in if self.first else weight_bound(fan_in, self.omega)
        self.kernel = self.add_weight(
            'kernel', [fan_in, self.units], initializer=uniform(bound), trainable=True
        )
        self.bias = self.add_weight(
            'bias', [self.units], initializer=uniform(1 / math.sqrt(fan_in)), trainable=True
        )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Returns the sines."""
        # The weights are multiplied by omega, not the n outputs: there are fewer of them.
        phases = tf.matmul(inputs, self.omega * self.kernel)
        return tf.sin(tf.nn.bias_add(phases, self.omega * self.bias))

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {'units': self.units, 'omega': self.omega, 'first': self.first, 'name': self.name}


def weight_bound(fan_in: int, omega: float) -> float:
    """Returns c: weights from U(-c, c) give sums of `fan_in` sines variance 1 / omega^2."""
    return math.sqrt(6 / fan_in) / omega


def uniform(bound: float) -> keras.initializers.Initializer:
    """Returns the initialiser that draws from U(-bound, bound)."""
    return keras.initializers.RandomUniform(-bound, bound)
