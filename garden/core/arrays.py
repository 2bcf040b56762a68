"""State in NumPy arrays, for tasks whose steps are plain Python."""

from collections.abc import Mapping

import numpy as np
import safetensors.numpy
import tensorflow as tf

Parameters = Mapping[str, np.ndarray]


class Arrays(tf.train.experimental.PythonState):
    """Named arrays that checkpoints hold, bit for bit, when a task has them as an attribute.

    Args:
      values: the arrays; replace `values` as a whole to change them.
    """

    def __init__(self, values: Parameters):
        self.values: Parameters = dict(values)

    def serialize(self) -> bytes:
        """See the base class."""
        # Keeps memory order out of it: the same numbers are the same bytes.
        whole = {name: np.asarray(value, order='C') for name, value in self.values.items()}
        return safetensors.numpy.save(whole)

    def deserialize(self, string_value: bytes) -> None:
        """See the base class."""
        self.values = safetensors.numpy.load(string_value)
