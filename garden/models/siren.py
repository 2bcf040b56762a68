"""SIREN: a signal as a network of sines, from coordinates to values (arXiv:2006.09661)."""

import math

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.registry import register
from garden.layers.sine import Sine, uniform, weight_bound


@register('models', 'siren')
class Siren(keras.Model):
    """Maps coordinates [n, dimensions] to values [n, outputs], smooth in every derivative.

    Coordinates lie in [-1, 1] by custom. The defaults are the paper's network: a first sine layer,
    three more, a linear one; of two coordinates and one value it has 198,401 parameters.

    Args:
      outputs: values at a point, e.g. 3 for colours.
      width: sines of each layer.
      hidden_layers: sine layers after the first.
      first_omega: the factor inside the sines of the first layer: how high the frequencies are that
        the network begins with. An interval k times as long is as good as a factor k times as high.
      omega: the same of the other layers.

    Raises:
      UserError: if outputs or width are not positive, or hidden_layers is negative.
    """

    def __init__(
        self,
        outputs: int = 1,
        width: int = 256,
        hidden_layers: int = 3,
        first_omega: float = 30.0,
        omega: float = 30.0,
    ):
        super().__init__()
        if min(outputs, width) < 1 or hidden_layers < 0:
            raise UserError(
                f'models.siren: outputs ({outputs}) and width ({width}) are at least 1, '
                f'hidden_layers ({hidden_layers}) is at least 0.'
            )
        self.sines = [
            Sine(width, first_omega, first=True),
            *(Sine(width, omega) for _ in range(hidden_layers)),
        ]
        # Like a hidden layer in all but the sine, for the values to be of order 1 / omega.
        self.linear = keras.layers.Dense(
            outputs,
            kernel_initializer=uniform(weight_bound(width, omega)),
            bias_initializer=uniform(1 / math.sqrt(width)),
        )

    def call(self, coordinates: tf.Tensor) -> tf.Tensor:
        """Returns the values."""
        features = coordinates
        for sine in self.sines:
            features = sine(features)
        return self.linear(features)
