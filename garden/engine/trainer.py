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
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.task import Batch, ReplicaStep, Task
from garden.engine import randomness
from garden.engine.data_service import DataService

MASK = 'mask'
_REPEAT = 'Training data goes on without end: add .repeat() in the task or its data loader.'


class Trainer(orbit.StandardTrainer, orbit.StandardEvaluator):
    """Runs a task's training and evaluation steps under a strategy.

    Args:
      task: the task, built inside the strategy's scope.
      strategy: the strategy.
      seed: seed of data order, augmentation, noise and dropout.
      jit_compile: whether to compile the replica step with XLA; on CPU it slows down plain
        convolutions and grouped ones beyond use, so it is never the default.
      gradient_norms: whether to report the norm of each optimizer's gradient among the scalars.
      data_service: makes the training data, if there is one.
    """

    def __init__(
        self,
        task: Task,
        strategy: tf.distribute.Strategy,
        seed: int,
        jit_compile: bool = False,
        gradient_norms: bool = False,
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
        self.examples_per_step = 0
        self._jit_compile = jit_compile
        self._data_service = data_service
        names = _norm_names(task) if gradient_norms else {}
        self._norm_names = names
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

    def open_training_data(self, attempt: int = 0) -> None:
        """Makes the input pipeline that goes on from the present step; call it after a restore.

        Args:
          attempt: another number, another order of the data.
        """
        step = int(self.global_step.numpy())
        seed = self.seed + (attempt << 32)

        def batches(context: tf.distribute.InputContext) -> tf.data.Dataset:
            feed = Feed.of(context, seed, step)
            if self._data_service is not None:
                return self._data_service.batches(self._train_data, feed)
            return self._train_data(feed)

        self.train_dataset = self.strategy.distribute_datasets_from_function(batches)

    def _train_data(self, feed: Feed) -> tf.data.Dataset:
        return _endless(self.task.train_data(feed))

    def open_evaluation_data(self) -> None:
        """Makes the input pipeline of evaluation."""
        self._eval_dataset = self.strategy.distribute_datasets_from_function(
            lambda context: self.task.eval_data(Feed.of(context, self.seed))
        )

    # Training.

    def train(self, num_steps: tf.Tensor) -> dict[str, tf.Tensor] | None:
        """Takes `num_steps` steps; returns the means of their scalars and the task's gauges."""
        try:
            return super().train(num_steps)
        except tf.errors.OutOfRangeError as error:
            raise UserError(f'The training data has ended. {_REPEAT}') from error

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

    def train_loop_begin(self) -> None:
        """Forgets the scalars of the loop before."""
        for metric in self._train.values():
            metric.reset_state()

    def train_step(self, iterator: Iterator[Batch]) -> None:
        """Takes one step over all replicas and counts it."""
        batch = next(iterator)
        self.examples_per_step = _batch_size(batch, self.strategy)
        step = self.global_step.read_value()
        calls = itertools.count()

        def run(replica_step: ReplicaStep, batch: Batch) -> None:
            self._run(replica_step, batch, step, next(calls))

        with self.strategy.scope():
            self.task.step(run, batch, step)
            for average in self._averages:
                average.update(step + 1)
        self.global_step.assign_add(1)

    def _run(self, replica_step: ReplicaStep, batch: Batch, step: tf.Tensor, call: int) -> None:
        def on_replica(batch: Batch) -> None:
            seed = randomness.step_seed(self.seed, step, call)
            self._reseed(seed)
            with contextlib.ExitStack() as stack:
                norms = stack.enter_context(optim.recorded_norms()) if self._norm_names else []
                scalars = dict(replica_step(batch, seed))
            for optimizer, norm in norms:
                scalars[self._norm_names[id(optimizer)]] = norm
            for name, value in scalars.items():
                if name not in self._train:
                    raise UserError(
                        f'{type(self.task).__name__} returned a training scalar {name!r} that its '
                        f'train_scalars {tuple(self._train)} do not declare: add it there.'
                    )
                self._train[name].update_state(value)

        if self._jit_compile:
            on_replica = tf.function(on_replica, jit_compile=True)
        self.strategy.run(on_replica, args=(batch,))

    def train_loop_end(self) -> dict[str, tf.Tensor]:
        """Returns the means of the loop's scalars and the task's gauges."""
        scalars = {name: metric.result() for name, metric in self._train.items()}
        return scalars | {name: read() for name, read in self.task.gauges().items()}

    # Evaluation.

    @contextlib.contextmanager
    def evaluation_weights(self) -> Iterator[None]:
        """Lets the task hold its averaged weights for the time of the context."""
        with contextlib.ExitStack() as stack, self.strategy.scope():
            for average in self._averages:
                stack.enter_context(average.swapped_in())
            yield

    def eval_begin(self) -> None:
        """Forgets the evaluation before."""
        self._eval_batch.assign(0)
        self._evaluators = self.task.evaluators()
        for metric in (*self._eval.values(), *self._evaluators.values()):
            metric.reset_state()

    def eval_step(self, iterator: Iterator[Batch]) -> Any:
        """Evaluates one batch on every replica; returns what the evaluators need of it."""
        batch = next(iterator)
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

        return self._gathered(self.strategy.run(on_replica, args=(batch,)))

    def _gathered(self, outputs: Any) -> Any:
        """Brings the outputs of all replicas, other workers' included, to this host, in order."""

        def gather(value: Any) -> tf.Tensor:
            local = self.strategy.experimental_local_results(value)
            if len(local) == self.strategy.num_replicas_in_sync:
                return tf.concat(local, axis=0)
            if local[0].dtype == tf.bool:  # Collectives carry numbers only.
                return tf.cast(self.strategy.gather(tf.cast(value, tf.int32), axis=0), tf.bool)
            return self.strategy.gather(value, axis=0)

        return tf.nest.map_structure(gather, outputs)

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


def _endless(dataset: tf.data.Dataset) -> tf.data.Dataset:
    cardinality = int(dataset.cardinality())
    if cardinality >= 0:
        raise UserError(f'The training data ends after {cardinality} batches. {_REPEAT}')
    return dataset


def _batch_size(batch: Batch, strategy: tf.distribute.Strategy) -> int:
    first = tf.nest.flatten(strategy.experimental_local_results(batch)[0])[0]
    size = first.shape[0] if first.shape.rank else 1
    return (size or 0) * strategy.num_replicas_in_sync
