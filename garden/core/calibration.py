"""Statistics that an evaluation estimates anew from training batches ("precise BatchNorm")."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """What an evaluation estimates first, and how.

    The trainer hands the training batches that follow the present step to `estimate`, lets the
    variables hold the mean of the estimates over batches and replicas while it evaluates, and then
    gives them back what they held: training goes on as if nothing had been, and what is estimated
    is a function of the step.

    Attributes:
      variables: the variables to be estimated. What `estimate` leaves in them does not matter.
      estimate: maps a replica's batch, on that replica, to one tensor for each variable.
      batches: how many global batches to take.
    """

    variables: Sequence[tf.Variable]
    estimate: Callable[[Any], Sequence[tf.Tensor]]
    batches: int


class BatchStatistics:
    """The statistics of a batch in a model's batch normalisation layers.

    Args:
      model: the model; layers that are frozen keep the statistics that they have.
    """

    def __init__(self, model: tf.Module):
        self._layers = [
            layer
            for layer in model.submodules
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]
        self.variables = [
            variable
            for layer in self._layers
            for variable in (layer.moving_mean, layer.moving_variance)
        ]

    def of(self, forward: Callable[[], Any]) -> list[tf.Tensor]:
        """Returns the mean and variance in each layer while `forward` runs the model in training.

        Moving statistics that start from zero hold a known part of the first batch's, so no layer
        has to be told. Call it on a replica; it leaves that part in `variables`.
        """
        for variable in self.variables:
            variable.assign(tf.zeros_like(variable))
        forward()
        return [
            variable.read_value() / (1 - layer.momentum)
            for layer in self._layers
            for variable in (layer.moving_mean, layer.moving_variance)
        ]
