"""Evaluates as the Model Garden's trainer does: streaming metrics, and aggregation on the host."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from official.core import base_task


class Evaluation:
    """The evaluator of a task of the Model Garden; see `garden.core.task.Evaluator`.

    Args:
      task: the Model Garden's task.
      metrics: what `task.build_metrics` has made for validation, and the metrics of the model.
      steps: tells the number of training steps.
      named: metrics that only `task.reduce_aggregated_logs` will name.
    """

    def __init__(
        self,
        task: base_task.Task,
        metrics: Sequence[keras.metrics.Metric],
        steps: Callable[[], tf.Tensor],
        named: Sequence[str] = (),
    ):
        self._task = task
        self._loss = keras.metrics.Mean('loss')
        self._metrics = metrics
        self._steps = steps
        self._structure: Any = None
        self._state: Any = None
        self._aggregates = type(task).aggregate_logs is not base_task.Task.aggregate_logs
        self.metrics = ('loss', *(metric.name for metric in metrics), *named)

    def step(self, batch: Any, model: keras.Model) -> Mapping[str, tf.Tensor]:
        """Validates one batch on one replica; returns what is to be aggregated on the host."""
        logs = self._task.validation_step(batch, model=model, metrics=self._metrics)
        if self._task.loss in logs:
            self._loss.update_state(logs[self._task.loss])
        if not self._aggregates:
            return {}
        self._structure = logs
        leaves = map(tf.convert_to_tensor, tf.nest.flatten(logs))
        # What comes of all replicas is put together along the first axis, so there has to be one.
        return {str(i): leaf if leaf.shape.rank else leaf[None] for i, leaf in enumerate(leaves)}

    def reset_state(self) -> None:
        """See `Evaluator`."""
        for metric in (self._loss, *self._metrics):
            metric.reset_state()
        self._state = None

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """See `Evaluator`."""
        if not self._aggregates:
            return
        # The Model Garden hands over a tuple of the replicas' values: here one, that of them all.
        leaves = [(tf.convert_to_tensor(outputs[str(i)]),) for i in range(len(outputs))]
        flat = iter(leaves)
        logs = tf.nest.map_structure(lambda _: next(flat), self._structure)
        self._state = self._task.aggregate_logs(self._state, logs)

    def result(self) -> Mapping[str, float]:
        """See `Evaluator`; of a metric with several values, each goes by its number or name."""
        found: dict[str, float] = {}
        for metric in self._metrics:
            found |= _numbers(metric.name, metric.result())
        if self._loss.count.numpy():  # Some tasks validate without a loss.
            found['loss'] = float(self._loss.result())
        if self._state is not None:
            reduced = self._task.reduce_aggregated_logs(self._state, global_step=self._steps())
            for name, value in (reduced or {}).items():
                found |= _numbers(name, value)
        return found


def _numbers(name: str, value: Any) -> dict[str, float]:
    return dict(_pairs(name, value))


def _pairs(name: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _pairs(f'{name}/{key}', part)
        return
    numbers = np.asarray(value)
    if numbers.dtype.kind not in 'biuf':
        return  # Text, or a picture's bytes.
    if numbers.size == 1:
        yield name, float(numbers.reshape(()))
    else:
        yield from ((f'{name}/{i}', float(number)) for i, number in enumerate(numbers.ravel()))
