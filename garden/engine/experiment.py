"""An experiment is a list of phases, each a task and a schedule; an ordinary one has one phase.

`experiment` is the only function into which gin injects: everything below it is built from its
arguments.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gin
import tensorflow as tf
import tf_keras as keras
from absl import logging
from etils import epath

from garden.core.errors import UserError, did_you_mean
from garden.core.task import Task
from garden.engine import randomness
from garden.engine.checkpoints import Checkpoints, complete, warm_start
from garden.engine.controller import Controller, Metrics, Observer
from garden.engine.data_service import DataService
from garden.engine.interruption import Interrupted, Interruption
from garden.engine.progress import Progress
from garden.engine.run_folder import RunFolder
from garden.engine.skipping import Skipper
from garden.engine.strategy import of_several_workers, worker_number
from garden.engine.targets import Target
from garden.engine.trainer import Trainer

PRECISIONS = ('float32', 'mixed_bfloat16', 'mixed_float16')


@gin.register('phase', module='garden')
@dataclasses.dataclass(frozen=True)
class Phase:
    """A task and its schedule.

    Attributes:
      task: makes the task; in gin a reference without (), so that it is built in the
        strategy's scope.
      train_steps: the steps to train.
      name: the phase's folder in the run folder.
      steps_per_loop: steps between two returns to Python, where metrics are logged.
      eval_steps: batches of an evaluation, -1 for all data.
      eval_interval: steps between evaluations; there is always one at the end.
      checkpoint_interval: steps between checkpoints; there is always one at the end.
      keep_checkpoints: how many of the last checkpoints are kept.
      best_metric: the evaluation metric by which the best checkpoint is kept, None for none.
      best_mode: 'max' if larger is better, 'min' if smaller is.
      patience: evaluations without a new best after which training stops early.
      targets: what the final evaluation should reach, e.g. ('top1 >= 0.97',).
      warm_start: pairs of a task attribute and where its value comes from: an earlier phase's name
        or the path of a checkpoint.
      jit_compile: whether to compile the step with XLA.
      gradient_norms: whether to report the norm of each optimizer's gradient.
      max_recoveries: how often training that diverges (a scalar or a weight that is not finite) may
        go back to its last checkpoint and go on with other batches; after that the run stops.
      background_checkpoints: whether checkpoints are written while training goes on.
    """

    task: Callable[[], Task]
    train_steps: int
    name: str = 'main'
    steps_per_loop: int = 100
    eval_steps: int = -1
    eval_interval: int = 1000
    checkpoint_interval: int = 1000
    keep_checkpoints: int = 3
    best_metric: str | None = None
    best_mode: str = 'max'
    patience: int | None = None
    targets: Sequence[str] = ()
    warm_start: Sequence[tuple[str, str]] = ()
    jit_compile: bool = False
    gradient_norms: bool = False
    max_recoveries: int = 2
    background_checkpoints: bool = True

    def __post_init__(self) -> None:
        for field in (
            'train_steps',
            'steps_per_loop',
            'eval_interval',
            'checkpoint_interval',
            'keep_checkpoints',
            'patience',
        ):
            value = getattr(self, field)
            if value is None and field != 'patience':
                raise UserError(f'phase.{field} needs a number; there is none.')
            if value is not None and value < 1:
                raise UserError(f'phase.{field} is at least 1; {value} is not.')
        if self.eval_steps < 1 and self.eval_steps != -1:
            raise UserError(
                f'phase.eval_steps is at least 1, or -1 for all data; {self.eval_steps} is not.'
            )
        if not self.name or any(mark in self.name for mark in '/\\') or self.name.startswith('.'):
            raise UserError(f'phase.name {self.name!r} is not the name of a folder.')


@dataclasses.dataclass(frozen=True)
class Result:
    """What a phase came to.

    Attributes:
      phase: its name.
      step: the step it ended at.
      metrics: its last evaluation.
      best: the best evaluation by `best_metric`, with its step.
      targets: each target with whether the last evaluation meets it; empty without one.
      stopped_early: whether patience ended it.
      seconds: how long this process worked on it.
    """

    phase: str
    step: int
    metrics: Mapping[str, float]
    best: Mapping[str, float] | None
    targets: Mapping[str, bool]
    stopped_early: bool
    seconds: float


@dataclasses.dataclass
class Runtime:
    """What the launcher gives to an experiment beside its configuration.

    Attributes:
      strategy: the strategy of the whole run.
      folder: where the run leaves its files.
      mode: 'train_and_eval', 'train', 'eval', 'continuous_eval', or 'describe', which builds every
        phase and trains none.
      observers: told of all that happens; made for each phase by a function of phase and trainer.
      interruption: tells when to stop.
      description: the configuration's text, for TensorBoard.
      built: called once each task is built, e.g. to report bindings that nothing used.
      waiting: called when 'continuous_eval' begins to wait, with the phase and the step of the last
        checkpoint that it has evaluated, None if there was none.
      data_service: makes the training data, if there is one.
    """

    strategy: tf.distribute.Strategy
    folder: RunFolder
    mode: str = 'train_and_eval'
    observers: Callable[[Phase, Trainer], Sequence[Observer]] = lambda phase, trainer: ()
    interruption: Interruption = dataclasses.field(default_factory=Interruption)
    description: str = ''
    built: Callable[[Phase, Trainer], None] = lambda phase, trainer: None
    waiting: Callable[[Phase, int | None], None] = lambda phase, step: None
    data_service: DataService | None = None


@gin.configurable(module='garden', denylist=['runtime'])
def experiment(
    runtime: Runtime,
    phases: Sequence[Phase] = gin.REQUIRED,
    seed: int = 0,
    precision: str = 'float32',
    deterministic: bool | None = None,
    init_checkpoint: str | None = None,
) -> list[Result]:
    """Runs the phases in turn; a phase that is complete is restored and falls through.

    Args:
      runtime: strategy, folder, mode and observers.
      phases: the phases.
      seed: of weights, data order, augmentation and noise.
      precision: 'float32', 'mixed_bfloat16' or 'mixed_float16' (with loss scaling).
      deterministic: whether TensorFlow's own ops are to be deterministic where they can, which
        costs speed on GPUs; None for yes on CPUs, where it costs nothing, and no elsewhere.
      init_checkpoint: a checkpoint of `garden convert` or of another run, or a folder of them, from
        which the networks of the first phase start; evaluation takes it, too, where the run has no
        checkpoint of its own.

    Returns:
      What each phase came to.
    """
    if deterministic is None:
        deterministic = not tf.config.list_physical_devices('GPU')
    prepare_process(seed, precision, deterministic)
    if not phases:
        raise UserError('experiment.phases is empty: there is nothing to run.')
    names = [phase.name for phase in phases]
    if len(set(names)) < len(names):
        raise UserError(f'Two phases have one name: {", ".join(names)}. Give each its own.')
    if runtime.mode == 'describe':
        for phase in phases:
            build(runtime, phase, seed)
        return []
    if runtime.mode in ('train_and_eval', 'train'):
        return [
            _train(runtime, phase, names[:i], seed, None if i else init_checkpoint)
            for i, phase in enumerate(phases)
        ]
    if runtime.mode == 'continuous_eval':
        return [_evaluate_continuously(runtime, phase, seed) for phase in phases]
    begun = _begun(runtime, phases, init_checkpoint)
    return [_evaluate(runtime, phase, seed, init_checkpoint) for phase in begun]


def prepare_process(seed: int, precision: str = 'float32', deterministic: bool = False) -> None:
    """Sets what TensorFlow keeps for a whole process: seeds, precision, determinism."""
    if precision not in PRECISIONS:
        raise UserError(
            f'experiment.precision {precision!r} is not known.'
            f'{did_you_mean(precision, PRECISIONS)} It is one of {", ".join(PRECISIONS)}.'
        )
    if not 0 <= seed < 2**31:
        raise UserError(f'experiment.seed lies between 0 and {2**31 - 1}; {seed} does not.')
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy(precision)
    randomness.enable()
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def build(runtime: Runtime, phase: Phase, seed: int) -> tuple[Trainer, Progress, Checkpoints]:
    """Builds a phase's task and what trains and saves it."""
    with runtime.strategy.scope():
        task = phase.task()
        if not isinstance(task, Task):
            raise UserError(
                f'phase.task of {phase.name!r} made a {type(task).__name__}, which is no Task.'
            )
        skipper = Skipper(
            runtime.folder.bad_examples(phase.name),
            functools.partial(
                runtime.folder.add_bad_examples, phase.name, worker_number(runtime.strategy)
            ),
            alone=not of_several_workers(runtime.strategy),
        )
        trainer = Trainer(
            task,
            runtime.strategy,
            seed,
            phase.jit_compile,
            phase.gradient_norms,
            skipper,
            runtime.data_service,
        )
        progress = _progress(phase, trainer)
    checkpoints = Checkpoints(
        runtime.folder.own_checkpoints(phase.name),
        runtime.folder.best(phase.name),
        runtime.strategy,
        {'task': task, 'progress': progress},
        phase.keep_checkpoints,
        runtime.folder.checkpoints(phase.name),
        # What Python holds cannot be copied while it changes.
        background=phase.background_checkpoints and task.compiled,
    )
    runtime.built(phase, trainer)
    return trainer, progress, checkpoints


def _progress(phase: Phase, trainer: Trainer) -> Progress:
    return Progress(trainer.global_step, phase.best_metric, phase.best_mode, phase.patience)


def _train(
    runtime: Runtime, phase: Phase, earlier: Sequence[str], seed: int, init: str | None
) -> Result:
    start = time.perf_counter()
    targets = [Target.parse(text) for text in phase.targets]
    trainer, progress, checkpoints = build(runtime, phase, seed)
    _check_names(phase, trainer.task, targets)
    if checkpoints.restore_latest() is None:
        _start_from(init, trainer)
        _warm_start(runtime, phase, earlier, trainer.task)
        trainer.task.initialize()
        for average in trainer.task.averages():
            average.restart()
    if progress.step > phase.train_steps:
        raise UserError(
            f'Phase {phase.name!r} in {runtime.folder.path} has taken {progress.step} steps, more '
            f'than its train_steps ({phase.train_steps}). Start in another --model_dir.'
        )
    complete = progress.step == phase.train_steps or progress.exhausted
    runtime.folder.rewind_metrics(phase.name, progress.step, again=complete)
    if not complete and runtime.folder.write:
        runtime.folder.ended(phase.name).unlink(missing_ok=True)
    controller = _controller(runtime, phase, trainer, progress, checkpoints)
    controller.begin_events(again=complete)
    trainer.open_training_data(progress.recoveries)
    trainer.open_evaluation_data()
    metrics: Metrics | None = {}
    with checkpoints.finished():
        if runtime.mode == 'train':
            controller.train(phase.train_steps)
        else:
            metrics = controller.train_and_evaluate(phase.train_steps, phase.eval_steps)
            if metrics is None:  # Complete before it began: what it came to is still to be said.
                metrics = controller.evaluate(phase.eval_steps)
    if runtime.folder.write:
        runtime.folder.ended(phase.name).write_text(f'{progress.step}\n')
    return _result(phase, progress, metrics or {}, targets, start)


def _begun(runtime: Runtime, phases: Sequence[Phase], init: str | None) -> list[Phase]:
    """Returns the phases that have a checkpoint, or the first where there is one to start from."""
    begun = [phase for phase in phases if runtime.folder.has_checkpoint(phase.name)]
    if not begun and init is not None:
        return [phases[0]]
    if not begun:
        raise UserError(
            f'There is nothing to evaluate in {runtime.folder.checkpoints(phases[0].name)}: no '
            'checkpoint. Train first (--mode=train_and_eval), name the folder of a run with '
            '--model_dir, or weights with --init_checkpoint.'
        )
    for phase in phases:
        if phase not in begun:
            logging.warning('Phase %s has no checkpoint yet: it is not evaluated.', phase.name)
    return begun


def _evaluate(runtime: Runtime, phase: Phase, seed: int, init: str | None) -> Result:
    start = time.perf_counter()
    trainer, progress, checkpoints = build(runtime, phase, seed)
    if checkpoints.restore_latest() is None:
        _start_from(init, trainer)
        for average in trainer.task.averages():
            average.restart()
    trainer.open_evaluation_data()
    controller = _controller(runtime, phase, trainer, progress, None)
    metrics = controller.evaluate(phase.eval_steps)
    return _result(phase, progress, metrics, map(Target.parse, phase.targets), start)


def _evaluate_continuously(runtime: Runtime, phase: Phase, seed: int) -> Result:
    """Evaluates each new checkpoint of a run that another process trains, to its end."""
    start = time.perf_counter()
    trainer, _, checkpoints = build(runtime, phase, seed)
    trainer.open_evaluation_data()
    # What the checkpoints say of evaluations is the trainer's; this process judges for itself.
    progress = _progress(phase, trainer)
    progress.recall(row for row in runtime.folder.read_metrics() if row['phase'] == phase.name)
    controller = _controller(runtime, phase, trainer, progress, checkpoints)
    metrics: Metrics = {}
    said: list[int | None] = []

    def over() -> bool:
        last = progress.step if metrics else None
        if last not in said:
            runtime.waiting(phase, last)
            said.append(last)
        return runtime.interruption.requested or runtime.folder.ended(phase.name).exists()

    following = tf.train.checkpoints_iterator(
        str(checkpoints.directory), timeout=1.0, timeout_fn=over
    )
    with checkpoints.finished():
        for path in following:
            # The trainer may have just replaced it by a newer one.
            if checkpoints.try_restore(path):
                metrics = controller.evaluate(phase.eval_steps)
    if runtime.interruption.requested:
        raise Interrupted
    return _result(phase, progress, metrics, map(Target.parse, phase.targets), start)


def _controller(
    runtime: Runtime,
    phase: Phase,
    trainer: Trainer,
    progress: Progress,
    checkpoints: Checkpoints | None,
) -> Controller:
    return Controller(
        trainer,
        progress,
        checkpoints,
        steps_per_loop=phase.steps_per_loop,
        eval_interval=phase.eval_interval,
        checkpoint_interval=phase.checkpoint_interval,
        observers=runtime.observers(phase, trainer),
        summary_dir=str(runtime.folder.events(phase.name)) if runtime.folder.write else None,
        interruption=runtime.interruption,
        description=runtime.description,
        max_recoveries=phase.max_recoveries,
    )


def _check_names(phase: Phase, task: Task, targets: Sequence[Target]) -> None:
    """Makes sure that the metrics that are to be judged will be reported, before any training."""
    reported = {*task.eval_scalars}
    for evaluator in task.evaluators().values():
        reported |= {*evaluator.metrics}
    wanted = [('best_metric', phase.best_metric)] if phase.best_metric else []
    wanted += [('targets', target.metric) for target in targets]
    for setting, name in wanted:
        if name not in reported:
            raise UserError(
                f'phase.{setting} is about {name!r}, which {type(task).__name__} does not report.'
                f'{did_you_mean(name, reported)} It reports '
                f'{", ".join(sorted(reported)) or "nothing"}.'
            )


def _start_from(path: str | None, trainer: Trainer) -> None:
    """Gives all networks of the task their weights from a checkpoint, or the last in a folder."""
    if path is None:
        return
    found = [path] if tf.io.gfile.exists(f'{path}.index') else complete(epath.Path(path))
    if not found:
        raise UserError(
            f'--init_checkpoint={path} is no checkpoint, nor a folder that holds one. Weights of '
            'another project become one with the command convert.'
        )
    networks = list(trainer.task.models())
    if not networks:
        raise UserError(
            f'--init_checkpoint: {type(trainer.task).__name__} names no network (Task.models) to '
            'fill; use phase.warm_start.'
        )
    warm_start(trainer.task, networks, found[-1], trainer.strategy, '--init_checkpoint')


def _warm_start(runtime: Runtime, phase: Phase, earlier: Sequence[str], task: Task) -> None:
    for attribute, origin in phase.warm_start:
        if origin in earlier:
            source = tf.train.latest_checkpoint(str(runtime.folder.checkpoints(origin)))
        else:
            source = origin if tf.io.gfile.glob(f'{origin}.index') else None
        if source is None:
            raise UserError(
                f'phase.warm_start of {phase.name!r} takes {attribute!r} from {origin!r}, which is '
                f'neither an earlier phase ({", ".join(earlier) or "there is none"}) nor a '
                f'checkpoint.{did_you_mean(origin, earlier)}'
            )
        warm_start(task, [attribute], source, runtime.strategy)


def _result(
    phase: Phase, progress: Progress, metrics: Metrics, targets: Any, start: float
) -> Result:
    return Result(
        phase=phase.name,
        step=progress.step,
        metrics=dict(metrics),
        best=progress.best,
        targets={str(target): target.met(metrics) for target in targets} if metrics else {},
        stopped_early=progress.exhausted and progress.step < phase.train_steps,
        seconds=time.perf_counter() - start,
    )
