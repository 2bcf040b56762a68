"""Adam in plain NumPy (Kingma and Ba, arXiv:1412.6980)."""

import math

import numpy as np

from garden.core.arrays import Parameters
from garden.core.registry import register


@register('optimizers', 'numpy_adam')
class NumpyAdam:
    """Adam; epsilon stands where Keras has it, outside the correction of the second moment.

    Args:
      learning_rate: the step size.
      beta_1: decay of the first moment.
      beta_2: decay of the second moment.
      epsilon: added to the root of the second moment.
    """

    def __init__(
        self,
        learning_rate: float = 1e-3,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
    ):
        self._rate = learning_rate
        self._betas = (beta_1, beta_2)
        self._epsilon = epsilon

    def initial(self, parameters: Parameters) -> dict[str, np.ndarray]:
        """Returns the state to start from: the number of updates and two moments of each array."""
        moments = {
            f'{moment}.{name}': np.zeros_like(value)
            for moment in 'mv'
            for name, value in parameters.items()
        }
        return {'updates': np.zeros([], np.int64), **moments}

    def update(
        self, parameters: Parameters, gradients: Parameters, state: Parameters
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Returns the parameters and the state after one update; what is given stays as it is."""
        beta_1, beta_2 = self._betas
        updates = int(state['updates']) + 1
        rate = self._rate * math.sqrt(1 - beta_2**updates) / (1 - beta_1**updates)
        moved: dict[str, np.ndarray] = {}
        moments: dict[str, np.ndarray] = {'updates': np.asarray(updates, np.int64)}
        for name, value in parameters.items():
            gradient = gradients[name]
            m = beta_1 * state[f'm.{name}'] + (1 - beta_1) * gradient
            v = beta_2 * state[f'v.{name}'] + (1 - beta_2) * gradient**2
            moved[name] = value - rate * m / (np.sqrt(v) + self._epsilon)
            moments |= {f'm.{name}': m, f'v.{name}': v}
        return moved, moments
