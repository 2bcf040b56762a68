"""How the statistics that a task wants estimated anew are estimated, on any number of replicas."""

import contextlib
import functools
from collections.abc import Iterator

import tensorflow as tf

from garden.core.bad_examples import FAILURES, Readers
from garden.core.calibration import Calibration
from garden.core.feed import Feed
from garden.core.task import Batch, Task
from garden.engine import randomness
from garden.engine.skipping import Skipper


class Calibrator:
    """Carries out a `Calibration`.

    Args:
      calibration: what to estimate.
      task: the task, whose training data it takes.
      strategy: the strategy of the run.
      seed: the seed of the run.
      reseed: seeds the task's random layers.
    """

    def __init__(
        self,
        calibration: Calibration,
        task: Task,
        strategy: tf.distribute.Strategy,
        seed: int,
        reseed: randomness.Reseeder,
    ):
        self._calibration = calibration
        self._task = task
        self._strategy = strategy
        self._seed = seed
        self._reseed = reseed

    @contextlib.contextmanager
    def swapped_in(self, step: int, skipper: Skipper) -> Iterator[None]:
        """Lets the variables hold their estimates for the time of the context.

        Args:
          step: the steps taken so far; the batches are those of the steps that follow.
          skipper: leaves out bad examples.
        """
        variables = self._calibration.variables
        kept = [tf.identity(variable.read_value()) for variable in variables]
        try:
            estimates = self._all_estimates(step, skipper)
            for variable, values in zip(variables, zip(*estimates, strict=True), strict=True):
                variable.assign(tf.reduce_mean(tf.stack(values), 0))
            yield
        finally:
            for variable, value in zip(variables, kept, strict=True):
                variable.assign(value)

    def _all_estimates(self, step: int, skipper: Skipper) -> list[list[tf.Tensor]]:
        """Returns the estimates of each batch."""
        estimates: list[list[tf.Tensor]] = []
        while len(estimates) < self._calibration.batches:
            number = step + len(estimates)
            data, readers = skipper.open(functools.partial(self._data, number), number, number)
            batches = iter(data)
            try:
                while len(estimates) < self._calibration.batches:
                    number = step + len(estimates)
                    estimates.append(self._estimates(next(batches), tf.constant(number, tf.int64)))
            except FAILURES as error:
                # Training meets it at the same step.
                skipper.skip(error, readers, number, number)
        return estimates

    def _data(self, step: int, readers: Readers) -> tf.data.Dataset:
        return self._strategy.distribute_datasets_from_function(
            lambda context: self._task.train_data(Feed.of(context, self._seed, step, readers))
        )

    @tf.function(autograph=False)
    def _estimates(self, batch: Batch, step: tf.Tensor) -> list[tf.Tensor]:
        """Returns what one batch makes of the variables, the mean over replicas."""

        def on_replica(batch: Batch) -> list[tf.Tensor]:
            self._reseed(randomness.step_seed(self._seed, step, -2))
            return list(self._calibration.estimate(batch))

        values = self._strategy.run(on_replica, args=(batch,))
        return [self._strategy.reduce('MEAN', value, axis=None) for value in values]
