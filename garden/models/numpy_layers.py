"""Layers in plain NumPy, with their derivatives by hand.

A layer holds no array. Its parameters are handed to it, `forward` returns a cache beside its
output, and `backward` takes that cache: two passes over the same layer cannot get into each other's
way, and nothing is ever changed in place.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from garden.core.arrays import Parameters


class Layer(Protocol):
    """A function of parameters and a batch [batch, ...], and its derivative."""

    def initial(self, rng: np.random.Generator) -> Parameters:
        """Returns the parameters to start from, by name, float32."""

    def forward(self, parameters: Parameters, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """Returns the output, and what `backward` needs to know of this pass."""

    def backward(
        self, parameters: Parameters, cache: Any, gradient: np.ndarray
    ) -> tuple[np.ndarray, Parameters]:
        """Returns the gradients with respect to the input and to each parameter.

        Args:
          parameters: those of the pass.
          cache: what `forward` returned.
          gradient: of a scalar with respect to the output.
        """

    def graph(self, parameters: Parameters, x: tf.Tensor) -> tf.Tensor:
        """Returns the output as TensorFlow computes it, for an export."""


class Linear:
    """x W + b.

    Args:
      inputs: width of the input.
      outputs: width of the output.
      gain: the weights start from N(0, gain / inputs), the bias from 0.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0):
        self._shape = (inputs, outputs)
        self._deviation = math.sqrt(gain / inputs)

    def initial(self, rng: np.random.Generator) -> Parameters:
        """See `Layer`."""
        weight = self._deviation * rng.standard_normal(self._shape)
        return {
            'weight': weight.astype(np.float32),
            'bias': np.zeros(self._shape[1], np.float32),
        }

    def forward(self, parameters: Parameters, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """See `Layer`."""
        return x @ parameters['weight'] + parameters['bias'], x

    def backward(
        self, parameters: Parameters, cache: Any, gradient: np.ndarray
    ) -> tuple[np.ndarray, Parameters]:
        """See `Layer`."""
        gradients = {'weight': cache.T @ gradient, 'bias': gradient.sum(axis=0)}
        return gradient @ parameters['weight'].T, gradients

    def graph(self, parameters: Parameters, x: tf.Tensor) -> tf.Tensor:
        """See `Layer`."""
        return x @ parameters['weight'] + parameters['bias']


class LeakyReLU:
    """x where it is positive, slope * x elsewhere.

    Args:
      slope: below zero.
    """

    def __init__(self, slope: float = 0.2):
        self._slope = slope

    def initial(self, rng: np.random.Generator) -> Parameters:
        """See `Layer`."""
        del rng
        return {}

    def forward(self, parameters: Parameters, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """See `Layer`."""
        positive = x > 0
        return np.where(positive, x, self._slope * x), positive

    def backward(
        self, parameters: Parameters, cache: Any, gradient: np.ndarray
    ) -> tuple[np.ndarray, Parameters]:
        """See `Layer`."""
        return np.where(cache, gradient, self._slope * gradient), {}

    def graph(self, parameters: Parameters, x: tf.Tensor) -> tf.Tensor:
        """See `Layer`."""
        return tf.nn.leaky_relu(x, self._slope)


class Tanh:
    """The hyperbolic tangent."""

    def initial(self, rng: np.random.Generator) -> Parameters:
        """See `Layer`."""
        del rng
        return {}

    def forward(self, parameters: Parameters, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """See `Layer`."""
        y = np.tanh(x)
        return y, y

    def backward(
        self, parameters: Parameters, cache: Any, gradient: np.ndarray
    ) -> tuple[np.ndarray, Parameters]:
        """See `Layer`."""
        return gradient * (1 - cache**2), {}

    def graph(self, parameters: Parameters, x: tf.Tensor) -> tf.Tensor:
        """See `Layer`."""
        return tf.tanh(x)


class Reshape:
    """Gives each example another shape.

    Args:
      shape: of an example.
    """

    def __init__(self, shape: Sequence[int]):
        self._shape = tuple(shape)

    def initial(self, rng: np.random.Generator) -> Parameters:
        """See `Layer`."""
        del rng
        return {}

    def forward(self, parameters: Parameters, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """See `Layer`."""
        return x.reshape(-1, *self._shape), x.shape

    def backward(
        self, parameters: Parameters, cache: Any, gradient: np.ndarray
    ) -> tuple[np.ndarray, Parameters]:
        """See `Layer`."""
        return gradient.reshape(cache), {}

    def graph(self, parameters: Parameters, x: tf.Tensor) -> tf.Tensor:
        """See `Layer`."""
        return tf.reshape(x, [-1, *self._shape])


class Network:
    """Layers in a row; it is a layer itself.

    Args:
      layers: the layers; a parameter is called by its layer's number and its name, '0.weight'.
    """

    def __init__(self, layers: Sequence[Layer]):
        self._layers = tuple(layers)

    def initial(self, rng: np.random.Generator) -> Parameters:
        """See `Layer`."""
        return {
            f'{i}.{name}': value
            for i, layer in enumerate(self._layers)
            for name, value in layer.initial(rng).items()
        }

    def forward(self, parameters: Parameters, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """See `Layer`."""
        caches = []
        for i, layer in enumerate(self._layers):
            x, cache = layer.forward(_of_layer(parameters, i), x)
            caches.append(cache)
        return x, caches

    def backward(
        self, parameters: Parameters, cache: Any, gradient: np.ndarray
    ) -> tuple[np.ndarray, Parameters]:
        """See `Layer`."""
        gradients: dict[str, np.ndarray] = {}
        for i, layer in reversed(list(enumerate(self._layers))):
            gradient, of_layer = layer.backward(_of_layer(parameters, i), cache[i], gradient)
            gradients |= {f'{i}.{name}': value for name, value in of_layer.items()}
        return gradient, gradients

    def graph(self, parameters: Parameters, x: tf.Tensor) -> tf.Tensor:
        """See `Layer`."""
        for i, layer in enumerate(self._layers):
            x = layer.graph(_of_layer(parameters, i), x)
        return x


def _of_layer(parameters: Parameters, number: int) -> Parameters:
    start = f'{number}.'
    return {n.removeprefix(start): v for n, v in parameters.items() if n.startswith(start)}
