"""Exponential moving averages of weights, kept beside the weights that training changes."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence

import tensorflow as tf


class Untracked:
    """Keeps variables out of the sight of tf.Module and of checkpoints: their owner saves them."""

    def __init__(self, items: Iterable[tf.Variable]):
        self.items = tuple(items)


class MovingAverage(tf.Module):
    """The moving average of some variables: average = d * average + (1 - d) * variable.

    The statistics of normalisation layers belong to the variables given: pass `model.variables`,
    not only the trainable ones.

    Args:
      variables: the floating-point variables to average; others are left out.
      decay: d above, between 0 and 1.
      interval: steps between two updates; a published decay belongs to its interval.
      warm_up: with True, d is min(decay, (1 + n) / (10 + n)) at the n-th update, so that a short
        run does not average its own initial weights.
      start: up to this step an update copies the variables, as torchvision's recipe does during the
        warm-up of the learning rate.
    """

    def __init__(
        self,
        variables: Sequence[tf.Variable],
        decay: float,
        interval: int = 1,
        warm_up: bool = False,
        start: int = 0,
    ):
        super().__init__()
        if not 0 <= decay < 1:
            raise ValueError(f'The decay of a moving average lies in [0, 1); {decay} does not.')
        if interval < 1:
            raise ValueError(f'The interval of a moving average is at least 1; {interval} is not.')
        # Out of the checkpoint's sight: the model that owns the variables saves them.
        self._variables = Untracked(v for v in variables if v.dtype.is_floating)
        self._decay = decay
        self._interval = interval
        self._warm_up = warm_up
        self._start = start
        self.shadows = [
            tf.Variable(v, trainable=False, name='average') for v in self._variables.items
        ]

    def update(self, step: tf.Tensor) -> None:
        """Moves the averages; called over all replicas, with the number of steps taken so far."""
        if self._interval == 1:
            self._move(step)
        else:
            tf.cond(step % self._interval == 0, lambda: self._move(step), lambda: tf.no_op())

    def _move(self, step: tf.Tensor) -> tf.Operation:
        decay = tf.constant(self._decay, tf.float32)
        if self._warm_up:
            updates = tf.cast(step // self._interval, tf.float32)
            decay = tf.minimum(decay, (1 + updates) / (10 + updates))
        if self._start:
            decay = tf.where(step <= self._start, 0.0, decay)
        strategy = tf.distribute.get_strategy()

        def toward(shadow: tf.Variable, value: tf.Tensor) -> None:
            shadow.assign_sub((shadow - value) * tf.cast(1 - decay, shadow.dtype))

        for shadow, variable in zip(self.shadows, self._variables.items, strict=True):
            # Replicas hold statistics of their own: it is their mean that is averaged.
            own = variable.synchronization == tf.VariableSynchronization.ON_READ
            value = variable.read_value() if own else variable
            strategy.extended.update(shadow, toward, args=(value,))
        return tf.no_op()

    def restart(self) -> None:
        """Begins anew from the variables as they are."""
        for shadow, variable in zip(self.shadows, self._variables.items, strict=True):
            shadow.assign(variable.read_value())

    @contextlib.contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Lets the variables hold their averages for the time of the context."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for shadow, variable in zip(self.shadows, self._variables.items, strict=True):
            kept = tf.identity(variable.read_value())
            variable.assign(shadow)
            shadow.assign(kept)
