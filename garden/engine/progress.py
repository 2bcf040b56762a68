"""How far a phase has come: the part of a checkpoint that is the trainer's."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf

from garden.core.errors import UserError


class Progress(tf.Module):
    """The step, the best evaluation so far and how long ago it was.

    Args:
      global_step: the trainer's step counter.
      metric: the evaluation metric to judge by, None if nothing is to be kept as best.
      mode: 'max' if larger is better, 'min' if smaller is.
      patience: evaluations without a new best after which training stops, None for never.
    """

    def __init__(
        self,
        global_step: tf.Variable,
        metric: str | None = None,
        mode: str = 'max',
        patience: int | None = None,
    ):
        super().__init__()
        if mode not in ('max', 'min'):
            raise UserError(f"phase.best_mode is 'max' or 'min', not {mode!r}.")
        if patience is not None and metric is None:
            raise UserError('phase.patience needs phase.best_metric: the metric that must improve.')
        self.global_step = global_step
        self._metric = metric
        self._mode = mode
        self._patience = patience
        self._best_value = tf.Variable(math.nan, dtype=tf.float64, trainable=False, name='best')
        self._best_step = tf.Variable(-1, dtype=tf.int64, trainable=False, name='best_step')
        self._stale = tf.Variable(0, dtype=tf.int64, trainable=False, name='stale')
        self._judged_step = tf.Variable(-1, dtype=tf.int64, trainable=False, name='judged_step')
        self._recoveries = tf.Variable(0, dtype=tf.int64, trainable=False, name='recoveries')

    @property
    def step(self) -> int:
        """Steps taken so far."""
        return int(self.global_step.numpy())

    @property
    def recoveries(self) -> int:
        """How often the phase went back to a checkpoint because training diverged."""
        return int(self._recoveries.numpy())

    @recoveries.setter
    def recoveries(self, count: int) -> None:
        self._recoveries.assign(count)

    @property
    def best(self) -> dict[str, float] | None:
        """The best evaluation so far as {'step': ..., metric: ...}, None before the first."""
        if self._metric is None or int(self._best_step.numpy()) < 0:
            return None
        return {
            'step': int(self._best_step.numpy()),
            self._metric: float(self._best_value.numpy()),
        }

    @property
    def judged(self) -> bool:
        """Whether the present state was evaluated."""
        return int(self._judged_step.numpy()) == self.step

    @property
    def exhausted(self) -> bool:
        """Whether the patience has run out."""
        return self._patience is not None and int(self._stale.numpy()) >= self._patience

    def recall(self, evaluations: Iterable[Mapping[str, Any]]) -> None:
        """Takes note of evaluations that were judged before, rows with a step and the metrics."""
        for row in evaluations:
            self.global_step.assign(row['step'])
            self.judge({name: math.nan if v is None else v for name, v in row.items()})

    def judge(self, metrics: Mapping[str, float]) -> bool:
        """Takes note of an evaluation; returns whether it is the best so far. NaN never is."""
        self._judged_step.assign(self.global_step)
        if self._metric is None:
            return False
        value = metrics[self._metric]
        best = float(self._best_value.numpy())
        better = value > best if self._mode == 'max' else value < best
        if math.isnan(value) or not (math.isnan(best) or better):
            self._stale.assign_add(1)
            return False
        self._best_value.assign(value)
        self._best_step.assign(self.global_step)
        self._stale.assign(0)
        return True
