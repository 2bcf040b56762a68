"""Any experiment of the Model Garden as a task: its model, losses, metrics, steps and optimizer.

The Model Garden's own trainer is left out; `garden.engine` trains, saves, resumes and reports. What
it trains is the Model Garden's code, unchanged: losses and updates are those of its trainer, which
a test holds it to.
"""

import inspect
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras
from official.core import base_task, task_factory, train_utils
from official.core.config_definitions import DataConfig
from official.modeling.optimization import ExponentialMovingAverage

from garden.core.average import MovingAverage, Untracked
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.registry import register
from garden.core.task import Batch, Evaluator, Scalars, Task
from garden.model_garden import config as config_lib
from garden.model_garden.evaluation import Evaluation


@register('tasks', 'model_garden')
class ModelGarden(Task):
    """Trains and evaluates what an experiment of the Model Garden configures.

    Of its configuration, `task`, `trainer.optimizer_config` and the loss scale of `runtime` are
    read here; the schedule of `trainer` is the phase's matter, see `schedules.model_garden`.

    Its data come in the Model Garden's order, which depends on the step that a process starts at:
    a run that is continued has the weights, the optimizer and the step of the one before, and reads
    other batches than that would have read.

    Args:
      experiment: the registered name, e.g. 'resnet_imagenet' or 'bert/sentence_prediction'.
      overrides: settings by dotted name, e.g. {'task.train_data.global_batch_size': 64}.
      config_files: YAML files as the Model Garden's --config_file takes them; overrides go last.
      replay: whether a run that is continued reads again what was read before, to go on with the
        very next batch. It takes the time of reading, and holds where TensorFlow's ops are
        deterministic (`garden.experiment.deterministic`) and the number of pipelines is the same.
      metrics: metrics that only the task's host-side aggregation will name, e.g. ('AP',), for
        targets and `garden.phase.best_metric` to speak of.

    Raises:
      UserError: if there is no such experiment or setting.
    """

    def __init__(
        self,
        experiment: str,
        overrides: Mapping[str, Any] | None = None,
        config_files: Sequence[str] = (),
        replay: bool = False,
        metrics: Sequence[str] = (),
    ):
        super().__init__()
        config = config_lib.load(experiment, overrides, config_files)
        self._experiment = experiment
        self._config = config
        self._replay = replay
        # Hidden from checkpoints, which hold what a step depends on: model and optimizer.
        self._hidden = Untracked((task_factory.get_task(config.task),))
        self.model = self._task.build_model()
        self.optimizer = train_utils.create_optimizer(self._task, config)
        _create_slots(self.optimizer, self.model)
        of_model = list(getattr(self.model, 'metrics', ()))
        self._metrics = Untracked([*self._task.build_metrics(training=True), *of_model])
        best = config.trainer.best_checkpoint_eval_metric
        self._evaluation = None
        if _readable(config.task.validation_data):
            validation = [*self._task.build_metrics(training=False), *of_model]
            named = [*metrics, *([config_lib.metric_name(best)] if best else [])]
            steps = self._steps
            self._evaluation = Untracked((Evaluation(self._task, validation, steps, named),))

    @property
    def _task(self) -> base_task.Task:
        return self._hidden.items[0]

    def _steps(self) -> tf.Tensor:
        return self.optimizer.iterations

    def initialize(self) -> None:
        """Loads the checkpoint that `task.init_checkpoint` names, as the Model Garden does."""
        try:
            self._task.initialize(self.model)
        except (AssertionError, ValueError, tf.errors.OpError) as error:
            raise UserError(
                f'task.init_checkpoint = {self._config.task.init_checkpoint!r} of '
                f'{self._experiment}: {config_lib.line(error)}'
            ) from error

    def train_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class; `feed.step` only chooses another order, unless it is replayed."""
        if feed.stride != 1:
            raise UserError(
                f'{self._experiment}: the data of the Model Garden cannot be made by a data '
                'service of Garden: leave --data_service out, or set '
                'task.train_data.enable_tf_data_service.'
            )
        step = 0 if self._replay else feed.step
        # Order and augmentation come from these generators, TensorFlow's and Python's; each host
        # takes its part of one order of the files.
        keras.utils.set_random_seed(random.Random(f'{feed.seed}, {step}').getrandbits(31))
        data = self._data(self._config.task.train_data, feed)
        if self._replay:
            data = data.skip(feed.step * feed.replicas // feed.pipelines)
        return data

    def eval_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        if self._evaluation is None:
            return super().eval_data(feed)
        return self._data(self._config.task.validation_data, feed)

    def _data(self, params: DataConfig, feed: Feed) -> tf.data.Dataset:
        build = self._task.build_inputs
        context = {}
        if 'input_context' in inspect.signature(build).parameters:
            context['input_context'] = tf.distribute.InputContext(
                feed.pipelines, feed.pipeline, feed.replicas
            )
        try:
            data = build(params, **context)
        except (ValueError, AssertionError, OSError, tf.errors.OpError) as error:
            kind = 'training' if params.is_training else 'validation'
            raise UserError(
                f'{self._experiment}: its {kind} data cannot be read: {config_lib.line(error)}'
            ) from error
        if not isinstance(data, tf.data.Dataset):
            raise UserError(
                f'{self._experiment}: its build_inputs makes a {type(data).__name__}, and one '
                'tf.data.Dataset is needed.'
            )
        return data

    def train_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """See the base class."""
        del seed
        logs = self._task.train_step(
            batch, model=self.model, optimizer=self.optimizer, metrics=list(self._metrics.items)
        )
        return {'loss': logs[self._task.loss]}

    def eval_step(self, batch: Batch, seed: tf.Tensor) -> tuple[Scalars, Mapping[str, tf.Tensor]]:
        """See the base class."""
        del seed
        if self._evaluation is None:
            return {}, {}
        return {}, self._evaluation.items[0].step(batch, self.model)

    def evaluators(self) -> Mapping[str, Evaluator]:
        """See the base class."""
        if self._evaluation is None:
            return {}
        return {'validation': self._evaluation.items[0]}

    def averages(self) -> Sequence[MovingAverage]:
        """Returns the average that the Model Garden's optimizer keeps, if it does."""
        if not isinstance(self.optimizer, ExponentialMovingAverage):
            return ()
        return (_KeptByOptimizer(self.optimizer),)

    def gauges(self) -> Mapping[str, Callable[[], tf.Tensor]]:
        """Returns the learning rate, and the training metrics of the loop that has ended."""
        rates = {'learning_rate': lambda: _learning_rate(self.optimizer)}
        return rates | {m.name: lambda m=m: _read_out(m) for m in self._metrics.items}

    def facts(self) -> Mapping[str, str]:
        """See the base class."""
        order = 'read again from the start' if self._replay else 'begun anew, in another order'
        return {
            'experiment': f'{self._experiment} of the Model Garden',
            'training': _described(self._config.task.train_data),
            'evaluation': _described(self._config.task.validation_data),
            'data on resuming': order,
        }

    def models(self) -> Mapping[str, tuple[Any, ...]]:
        """See the base class; a model that does not know its inputs comes without them."""
        inputs = getattr(self.model, 'input', None)
        if inputs is None:
            return {'model': (self.model,)}
        specs = tf.nest.map_structure(lambda t: tf.TensorSpec(t.shape, t.dtype), inputs)
        unknown = any(None in spec.shape[1:] for spec in tf.nest.flatten(specs))
        return {'model': (self.model,) if unknown else (self.model, specs)}


class _KeptByOptimizer(MovingAverage):
    """The average of an optimizer of the Model Garden, which moves, saves and starts it itself."""

    def __init__(self, optimizer: ExponentialMovingAverage):
        tf.Module.__init__(self)
        self.shadows = optimizer._average_weights
        self._variables = Untracked(optimizer._model_weights)

    def update(self, step: tf.Tensor) -> None:
        """Does nothing: the optimizer has done it."""

    def restart(self) -> None:
        """Does nothing: the Model Garden starts from zero, whatever the weights."""


def _create_slots(optimizer: Any, model: keras.Model) -> None:
    """Creates all that an optimizer keeps, so that checkpoints are complete from the first on."""
    if isinstance(optimizer, ExponentialMovingAverage) and not optimizer.has_shadow_copy:
        optimizer.shadow_copy(model)
    if hasattr(optimizer, '_create_all_weights'):
        optimizer._create_all_weights(model.trainable_variables)
    else:
        optimizer.build(model.trainable_variables)


def _learning_rate(optimizer: Any) -> tf.Tensor:
    rate = optimizer.learning_rate
    return rate(optimizer.iterations) if callable(rate) else rate


def _read_out(metric: keras.metrics.Metric) -> tf.Tensor:
    """Returns the value of a metric, which begins anew."""
    value = metric.result()
    metric.reset_state()
    return value


def _readable(data: DataConfig | None) -> bool:
    return data is not None and bool(data.input_path or data.tfds_name)


def _described(data: DataConfig | None) -> str:
    if data is None or not _readable(data):
        return 'none'
    split = f', split {data.tfds_split}' if data.tfds_name else ''
    return f'{data.tfds_name or data.input_path}{split}, {data.global_batch_size:,} at a time'
