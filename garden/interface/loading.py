"""Experiments and runs as Python objects: `load_experiment` and `load_run`.

TensorFlow is imported when they are called. What gin holds is set aside meanwhile, so that nothing
of one experiment reaches another.
"""

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from garden.cli.launch import set_environment
from garden.core.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import tensorflow as tf
    import tf_keras as keras
    from etils import epath

    from garden.core.task import Task
    from garden.engine.config import Config
    from garden.engine.phase import Phase
    from garden.engine.trainer import Trainer


@dataclasses.dataclass(frozen=True)
class Loaded:
    """One phase of an experiment, built; an ordinary experiment has one.

    Attributes:
      name: the experiment's name.
      config: the resolved configuration, the text of a gin file that launches by itself.
      phase: the schedule: `train_steps`, `eval_interval`, ...
      seed: the seed of weights, data order and augmentation.
      task: the task, which owns networks and optimizers; see `garden.Task`.
    """

    name: str
    config: str = dataclasses.field(repr=False)
    phase: 'Phase' = dataclasses.field(repr=False)
    seed: int = dataclasses.field(repr=False)
    task: 'Task' = dataclasses.field(repr=False)

    @property
    def models(self) -> Mapping[str, 'keras.Model']:
        """The networks by name, e.g. 'generator'."""
        return {name: model for name, (model, *_) in self.task.models().items()}

    @property
    def model(self) -> 'keras.Model':
        """The network of a task that has one.

        Raises:
          UserError: if it has several, or none.
        """
        models = self.models
        if len(models) != 1:
            names = ', '.join(f'models[{name!r}]' for name in models)
            raise UserError(
                f'{self.name} has several networks: take {names}.'
                if models
                else f'{self.name}: its task names no network (Task.models).'
            )
        (model,) = models.values()
        return model

    def train_data(self, step: int = 0) -> 'tf.data.Dataset':
        """Returns the training batches without end, as a run on one device sees them.

        Args:
          step: the step that the first batch is for; from there on it is what a run would read.

        Raises:
          UserError: if the data are missing.
        """
        from garden.core.feed import Feed

        return self.task.train_data(Feed(seed=self.seed, step=step))

    def eval_data(self) -> 'tf.data.Dataset':
        """Returns one pass over the evaluation data; where 'mask' is False there is padding.

        Raises:
          UserError: if the data are missing.
        """
        from garden.core.feed import Feed

        return self.task.eval_data(Feed(seed=self.seed))


@dataclasses.dataclass(frozen=True)
class Run(Loaded):
    """The last phase that a run has begun, with its trained weights.

    Attributes:
      path: the run folder.
      step: the training steps that the weights have taken.
      checkpoint: 'best' or 'last', whichever they are of.
      metrics: the evaluation of that step in the run folder, nothing where there was none.
    """

    path: 'epath.Path'
    step: int
    checkpoint: str
    metrics: Mapping[str, float]


def load_experiment(
    experiment: str, overrides: Sequence[str] = (), phase: str | None = None
) -> Loaded:
    """Builds an experiment without training it; its data need not be there.

    The networks are made under the strategy in whose scope this is called, and have the initial
    weights of a run with that seed. As by a launch, TensorFlow's seeds are set, and its ops made
    deterministic where the experiment asks for that (on CPUs it does by itself).

    Args:
      experiment: its name, or the path of a gin file.
      overrides: settings as of `--gin`, e.g. ['train_steps = 50'].
      phase: which of several phases; None for the last.

    Raises:
      UserError: for any mistake in the configuration, in one line.
    """
    set_environment()
    from garden.engine import config as config_lib
    from garden.engine.run_folder import RunFolder

    with config_lib.set_aside():
        config = config_lib.load(experiment, overrides)
        built: dict[str, Loaded] = {}

        def keep(of: 'Phase', trainer: 'Trainer') -> None:
            built[of.name] = Loaded(config.name, config.text, of, trainer.seed, trainer.task)

        folder = RunFolder(os.path.join('runs', config.name), write=False, trains=False)
        _build(config, mode='describe', folder=folder, built=keep)
        for setting in config.unused():
            if setting.startswith('--gin'):
                raise UserError(setting)
    if phase is None:
        return list(built.values())[-1]
    if phase not in built:
        raise UserError(
            f'{config.name} has no phase {phase!r}.{did_you_mean(phase, built)} '
            f'Phases: {", ".join(built)}.'
        )
    return built[phase]


def load_run(run_dir: 'epath.PathLike', checkpoint: str = 'best') -> Run:
    """Restores the last phase that a run has begun, with the weights that the run evaluates with.

    These are averaged ones where the run averages, with statistics estimated anew where it does
    that; the latter takes training batches, so the data have to be there.

    Args:
      run_dir: the run folder.
      checkpoint: 'best', which takes the last where the run has kept no best one, or 'last'.

    Raises:
      UserError: if `run_dir` is no run folder, or holds no checkpoint that can be read.
    """
    set_environment()
    from garden.engine import config as config_lib
    from garden.engine.run_folder import RunFolder

    folder = RunFolder(run_dir, write=False, trains=False)
    with config_lib.set_aside():
        config = config_lib.load(str(folder.stored_config))
        found: list[tuple[Run, list[tf.Tensor]]] = []

        def keep(phase: 'Phase', trainer: 'Trainer', kind: str) -> None:
            step = int(trainer.global_step.numpy())
            task, metrics = trainer.task, folder.evaluation_at(phase.name, step)
            run = Run(
                config.name,
                config.text,
                phase,
                trainer.seed,
                task,
                folder.path,
                step,
                kind,
                metrics,
            )
            # After this call, training's own weights are put back.
            found.append((run, [variable.read_value() for variable in task.variables]))

        _build(config, mode='export', folder=folder, checkpoint=checkpoint, export=keep)
    ((run, values),) = found
    for variable, value in zip(run.task.variables, values, strict=True):
        variable.assign(value)
    return run


def _build(config: 'Config', **settings: Any) -> None:
    import tensorflow as tf

    from garden.engine.experiment import Runtime, experiment

    runtime: Runtime = Runtime(strategy=tf.distribute.get_strategy(), **settings)
    with _mistakes_told(config), _precision_kept():
        experiment(runtime)


@contextlib.contextmanager
def _mistakes_told(config: 'Config') -> Iterator[None]:
    from garden.engine import mistakes

    try:
        yield
    except Exception as error:
        mistake = mistakes.told(error, config)
        if mistake is None:
            raise
        raise mistake from error


@contextlib.contextmanager
def _precision_kept() -> Iterator[None]:
    """Gives the layers that are made after the context the policy of those made before it."""
    import tf_keras as keras

    policy = keras.mixed_precision.global_policy()
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(policy)
