"""One trainer for every task: it knows replicas, loops and scalars, and no system by name."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import orbit
import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.bad_examples import FAILURES, Readers
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.task import Batch, ReplicaStep, Task
from garden.engine import randomness
from garden.engine.batches import REPEAT, arrival, endless, gathered, global_size
from garden.engine.calibration import Calibrator
from garden.engine.data_service import DataService
from garden.engine.replica_state import ReplicaState
from garden.engine.skipping import Skipper

MASK = 'mask'


class Trainer(orbit.StandardTrainer, orbit.StandardEvaluator):
    """Runs a task's training and evaluation steps under a strategy.

    Args:
      task: the task, built inside the strategy's scope.
      strategy: the strategy.
      seed: seed of data order, augmentation, noise and dropout.
      jit_compile: whether to compile the replica step with XLA; on CPU it slows down plain
        convolutions and grouped ones beyond use, so it is never the default.
      gradient_norms: whether to report the norm of each optimizer's gradient among the scalars.
      skipper: keeps the bad examples; None for one that knows none.
      data_service: makes the training data, if there is one.
    """

    def __init__(
        self,
        task: Task,
        strategy: tf.distribute.Strategy,
        seed: int,
        jit_compile: bool = False,
        gradient_norms: bool = False,
        skipper: Skipper | None = None,
        data_service: DataService | None = None,
    ):
        replicas = strategy.num_replicas_in_sync
        on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
        if not task.compiled and (replicas > 1 or on_tpu):
            raise UserError(
                f'{type(task).__name__} runs as plain Python, on one device only; this run has '
                f'{"a TPU" if on_tpu else replicas}. Run it with --strategy=one_device.'
            )
        if jit_compile and (replicas > 1 or on_tpu or not task.compiled):
            raise UserError(
                'phase.jit_compile works for compiled tasks on one device (a TPU compiles anyway): '
                'leave it out or add --strategy=one_device.'
            )
        orbit.StandardTrainer.__init__(
            self,
            None,
            orbit.StandardTrainerOptions(
                use_tf_function=task.compiled, use_tf_while_loop=task.compiled
            ),
        )
        orbit.StandardEvaluator.__init__(
            self, None, orbit.StandardEvaluatorOptions(use_tf_function=task.compiled)
        )
        self.task = task
        self.strategy = strategy
        self.seed = seed
        self.skipper = skipper or Skipper()
        self.examples_per_step = 0
        self._jit_compile = jit_compile
        self._data_service = data_service
        self._norm_names = names = _norm_names(task) if gradient_norms else {}
        self._unmeasured = {*(names.values() or ['gradient_norm'])} if gradient_norms else set()
        with tf.device('CPU'):  # Where another thread can set it while a loop is running.
            self._halted = tf.Variable(False, trainable=False)
        self._evaluators: Mapping[str, Any] = {}
        with strategy.scope():
            self.global_step = orbit.utils.create_global_step()
            self._eval_batch = tf.Variable(0, dtype=tf.int64, trainable=False)
            self._train = {
                name: keras.metrics.Mean(name) for name in (*task.train_scalars, *names.values())
            }
            # A share of examples such as 494 / 500 is to be the number that a target names.
            exact = 'float32' if on_tpu else 'float64'
            self._eval = {name: keras.metrics.Mean(name, exact) for name in task.eval_scalars}
        self._averages = tuple(task.averages())
        self._reseed = randomness.Reseeder(task)
        self._calibrator = None
        if (calibration := task.calibration()) is not None:
            self._calibrator = Calibrator(calibration, task, strategy, seed, self._reseed)
        swaps = self._averages or self._calibrator
        self._of_replicas = ReplicaState(task.variables if swaps else (), strategy)

    def open_training_data(self, attempt: int = 0) -> None:
        """Makes the input pipeline that goes on from the present step; call it after a restore.

        Args:
          attempt: another number, another order of the data.
        """
        step = int(self.global_step.numpy())
        seed = self.seed + (attempt << 32)
        self._attempt = attempt

        def make(readers: Readers) -> tf.data.Dataset:
            return self.strategy.distribute_datasets_from_function(
                lambda context: self._train_data(Feed.of(context, seed, step, readers))
            )

        self.train_dataset, self._readers = self.skipper.open(make, step, step)

    def _train_data(self, feed: Feed) -> tf.data.Dataset:
        def make(feed: Feed) -> tf.data.Dataset:
            return endless(self.task.train_data(feed))

        return self._data_service.batches(make, feed) if self._data_service else make(feed)

    def open_evaluation_data(self) -> None:
        """Makes the input pipeline of evaluation."""

        def make(readers: Readers) -> tf.data.Dataset:
            return self.strategy.distribute_datasets_from_function(
                lambda context: self.task.eval_data(Feed.of(context, self.seed, 0, readers))
            )

        step = int(self.global_step.numpy())
        self._eval_dataset, self._eval_readers = self.skipper.open(make, 0, step)

    # Training.

    def train(self, num_steps: tf.Tensor) -> dict[str, tf.Tensor] | None:
        """Takes `num_steps` steps; returns the means of their scalars and the task's gauges.

        Where a bad example is met, the pipeline is opened anew without it, and the rest is taken.
        """
        for metric in self._train.values():
            metric.reset_state()
        last = int(self.global_step.numpy()) + int(num_steps)
        while True:
            change = self._readers.next_change() or last
            steps = min(last, change) - int(self.global_step.numpy())
            try:
                output = super().train(tf.constant(steps, tf.int32))
            except tf.errors.OutOfRangeError as error:
                raise UserError(f'The training data has ended. {REPEAT}') from error
            except FAILURES as error:
                step = int(self.global_step.numpy())
                self.skipper.skip(error, self._readers, step, step)
            else:
                # A variable of several replicas is no truth value.
                if int(self.global_step.numpy()) >= last or self._halted.numpy():
                    return output
            self.open_training_data(self._attempt)

    def create_train_loop_fn(self) -> Callable[[Any, tf.Tensor], None]:
        """Returns the inner loop: Orbit's, but for a look at whether it was told to halt."""

        def loop(iterator: Any, num_steps: tf.Tensor) -> None:
            for _ in tf.range(num_steps) if self.task.compiled else range(int(num_steps)):
                if self._halted:
                    break
                self.train_step(iterator)

        return tf.function(loop) if self.task.compiled else loop

    def finite(self) -> bool:
        """Whether every weight and statistic of the task is finite."""
        return bool(self._finite())

    @tf.function(autograph=False)
    def _finite(self) -> tf.Tensor:
        numbers = (v for v in self.task.variables if v.dtype.is_floating)
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in numbers])

    def halt(self) -> None:
        """Ends the running loop after its present step; callable from any thread."""
        self._halted.assign(True)

    def train_step(self, iterator: Iterator[Batch]) -> None:
        """Takes one step over all replicas and counts it."""
        batch = next(iterator)
        self.examples_per_step = global_size(batch, self.strategy)
        arrived = arrival(batch, self.strategy)
        calls = itertools.count()

        with self.strategy.scope(), tf.control_dependencies(arrived):
            step = self.global_step.read_value()

            def run(replica_step: ReplicaStep, batch: Batch) -> None:
                self._run(replica_step, batch, step, next(calls), arrived)

            self.task.step(run, batch, step)
            self._require_norms()
            for average in self._averages:
                average.update(step + 1)
            self.global_step.assign_add(1)

    def _require_norms(self) -> None:
        """Refuses to report norms that nothing has measured, when a step was traced as a whole."""
        if self._unmeasured:
            raise UserError(
                f'phase.gradient_norms: {type(self.task).__name__} applies its gradients by itself '
                '(not by garden.core.optim), so that there are no norms to report: leave it out.'
            )

    def _run(
        self,
        replica_step: ReplicaStep,
        batch: Batch,
        step: tf.Tensor,
        call: int,
        arrived: list[tf.Operation],
    ) -> None:
        def on_replica(batch: Batch) -> None:
            seed = randomness.step_seed(self.seed, step, call)
            self._reseed(seed)
            with contextlib.ExitStack() as stack:
                norms = stack.enter_context(optim.recorded_norms()) if self._norm_names else []
                scalars = dict(replica_step(batch, seed))
            for optimizer, norm in norms:
                name = self._norm_names[id(optimizer)]
                scalars[name] = norm
                self._unmeasured.discard(name)
            for name, value in scalars.items():
                if name not in self._train:
                    raise UserError(
                        f'{type(self.task).__name__} returned a training scalar {name!r} that its '
                        f'train_scalars {tuple(self._train)} do not declare: add it there.'
                    )
                self._train[name].update_state(value)

        if self._jit_compile:
            on_replica = tf.function(on_replica, jit_compile=True)

        def once_all_is_here(batch: Batch) -> None:
            with tf.control_dependencies(arrived):
                on_replica(batch)

        self.strategy.run(once_all_is_here, args=(batch,))

    def train_loop_end(self) -> dict[str, tf.Tensor]:
        """Returns the means of the loop's scalars and the task's gauges."""
        scalars = {name: metric.result() for name, metric in self._train.items()}
        return scalars | {name: read() for name, read in self.task.gauges().items()}

    # Evaluation.

    @contextlib.contextmanager
    def evaluation_weights(self) -> Iterator[None]:
        """Lets the task hold averaged weights and calibrated statistics in the context."""
        with contextlib.ExitStack() as stack, self.strategy.scope():
            # Swapping leaves all replicas the mean of their statistics; each gets its own back.
            self._of_replicas.collect()
            stack.callback(self._of_replicas.hand_out)
            for average in self._averages:
                stack.enter_context(average.swapped_in())
            if self._calibrator is not None:
                step = int(self.global_step.numpy())
                stack.enter_context(self._calibrator.swapped_in(step, self.skipper))
            yield

    def evaluate(self, num_steps: tf.Tensor) -> dict[str, Any] | None:
        """Evaluates `num_steps` batches, -1 for all; once more where bad examples are met."""
        while True:
            try:
                return super().evaluate(num_steps)
            except FAILURES as error:
                number, step = int(self._eval_batch.numpy()), int(self.global_step.numpy())
                self.skipper.skip(error, self._eval_readers, number, step)
            self.open_evaluation_data()

    def eval_begin(self) -> None:
        """Forgets the evaluation before."""
        self._eval_batch.assign(0)
        self._evaluators = self.task.evaluators()
        for metric in (*self._eval.values(), *self._evaluators.values()):
            metric.reset_state()

    def eval_step(self, iterator: Iterator[Batch]) -> Any:
        """Evaluates one batch on every replica; returns what the evaluators need of it."""
        batch = next(iterator)
        with tf.control_dependencies(arrival(batch, self.strategy)):
            number = self._eval_batch.read_value()
            self._eval_batch.assign_add(1)
        wanted = bool(self._evaluators)

        def on_replica(batch: Batch) -> Mapping[str, tf.Tensor]:
            seed = randomness.step_seed(self.seed, number, -1)
            scalars, outputs = self.task.eval_step(batch, seed)
            mask = batch.get(MASK) if isinstance(batch, Mapping) else None
            for name, values in scalars.items():
                if name not in self._eval:
                    raise UserError(
                        f'{type(self.task).__name__} returned an evaluation scalar {name!r} that '
                        f'its eval_scalars {tuple(self._eval)} do not declare: add it there.'
                    )
                self._eval[name].update_state(values, sample_weight=mask)
            if not wanted:
                return {}
            return {**outputs} if mask is None else {**outputs, MASK: mask}

        return gathered(self.strategy.run(on_replica, args=(batch,)), self.strategy)

    def eval_reduce(self, state: Any, step_outputs: Any) -> Any:
        """Hands one batch's outputs, padding removed, to the evaluators."""
        outputs = {name: np.asarray(value) for name, value in (step_outputs or {}).items()}
        mask = outputs.pop(MASK, None)
        if mask is not None:
            outputs = {name: value[mask] for name, value in outputs.items()}
        for evaluator in self._evaluators.values():
            evaluator.update_state(outputs)
        return state

    def eval_end(self, *unused_state: Any) -> dict[str, Any]:
        """Returns the metrics of the pass: means over examples, then the evaluators' results."""
        metrics: dict[str, Any] = {name: m.result() for name, m in self._eval.items()}
        for evaluator in self._evaluators.values():
            metrics |= evaluator.result()
        return metrics


def _norm_names(task: Task) -> dict[int, str]:
    """Returns the scalar's name for each optimizer of a task, by the optimizer's identity."""
    owned = optim.optimizers_of(task)
    if len(owned) == 1:
        return {id(optimizer): 'gradient_norm' for optimizer in owned.values()}
    return {id(optimizer): f'{name}_gradient_norm' for name, optimizer in owned.items()}
