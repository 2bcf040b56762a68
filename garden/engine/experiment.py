"""An experiment is a list of phases, each a task and a schedule; an ordinary one has one phase.

`experiment` is the only function into which gin injects: everything below it is built from its
arguments.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import gin
import tensorflow as tf
import tf_keras as keras
from absl import logging

from garden.core.errors import UserError, did_you_mean
from garden.core.task import Task
from garden.engine import randomness
from garden.engine.checkpoints import Checkpoints, complete
from garden.engine.controller import Controller, Metrics, Observer
from garden.engine.data_service import DataService
from garden.engine.interruption import Interrupted, Interruption
from garden.engine.phase import Phase, Result
from garden.engine.progress import Progress
from garden.engine.run_folder import RunFolder
from garden.engine.skipping import Skipper
from garden.engine.strategy import agreed, of_several_workers, worker_number
from garden.engine.targets import Target
from garden.engine.trainer import Trainer
from garden.engine.warm_start import from_checkpoint, from_phases

_ACTS = {'eval': 'evaluate', 'export': 'export', 'predict': 'predict with'}
CHECKPOINTS = ('best', 'last')
PRECISIONS = ('float32', 'mixed_bfloat16', 'mixed_float16')


@dataclasses.dataclass
class Runtime:
    """What the launcher gives to an experiment beside its configuration.

    Attributes:
      strategy: the strategy of the whole run.
      folder: where the run leaves its files.
      mode: 'train_and_eval', 'train', 'eval', 'continuous_eval', 'export' or 'predict', which
        hand the last phase that has begun to `export`, or 'describe', which builds every phase and
        trains none.
      observers: told of all that happens; made for each phase by a function of phase and trainer.
      interruption: tells when to stop.
      description: the configuration's text, for TensorBoard.
      built: called once each task is built, e.g. to report bindings that nothing used.
      waiting: called when 'continuous_eval' begins to wait, with the phase and the step of the last
        checkpoint that it has evaluated, None if there was none.
      data_service: makes the training data, if there is one.
      checkpoint: what is exported, 'best' where the run has kept one, or 'last'.
      export: called with a phase, its trainer and the kind of its checkpoint ('best', 'last' or
        'init_checkpoint'), while the task holds the weights that the run evaluates with.
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
    checkpoint: str = 'best'
    export: Callable[[Phase, Trainer, str], None] = lambda phase, trainer, kind: None

    def __post_init__(self) -> None:
        if self.checkpoint not in CHECKPOINTS:
            raise UserError(
                f'There is no checkpoint {self.checkpoint!r}.'
                f'{did_you_mean(self.checkpoint, CHECKPOINTS)} Choices: {", ".join(CHECKPOINTS)}.'
            )


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
      init_checkpoint: a checkpoint, a folder of them, or another project's file of weights, from
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
    if runtime.mode in ('export', 'predict'):
        _export(runtime, begun[-1], seed, init_checkpoint)
        return []
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
        from_checkpoint(init, trainer)
        from_phases(phase, earlier, runtime.folder, trainer)
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
    # Of several workers, one that sees another folder is told so when all restore.
    begun = [p for p in phases if agreed(runtime.strategy, runtime.folder.has_checkpoint(p.name))]
    if not begun and init is not None:
        return [phases[0]]
    if not begun:
        raise UserError(
            f'There is nothing to {_ACTS[runtime.mode]} in '
            f'{runtime.folder.checkpoints(phases[0].name)}: no checkpoint. Train first '
            '(--mode=train_and_eval), name the folder of a run with --model_dir, or weights with '
            '--init_checkpoint.'
        )
    for phase in phases:
        if phase not in begun:
            logging.warning('Phase %s has no checkpoint yet: it is left out.', phase.name)
    return begun


def _export(runtime: Runtime, phase: Phase, seed: int, init: str | None) -> None:
    trainer, _, checkpoints = build(runtime, phase, seed)
    best = [path for folder in runtime.folder.all_best(phase.name) for path in complete(folder)]
    if runtime.checkpoint == 'best' and best and checkpoints.try_restore(best[-1]):
        kind = 'best'
    else:
        kind = 'init_checkpoint' if _restore(trainer, checkpoints, init) is None else 'last'
    with trainer.evaluation_weights():
        runtime.export(phase, trainer, kind)


def _restore(trainer: Trainer, checkpoints: Checkpoints, init: str | None) -> int | None:
    """Restores the last checkpoint and returns its step, or fills the networks from `init`."""
    step = checkpoints.restore_latest()
    if step is None:
        from_checkpoint(init, trainer)
        for average in trainer.task.averages():
            average.restart()
    return step


def _evaluate(runtime: Runtime, phase: Phase, seed: int, init: str | None) -> Result:
    start = time.perf_counter()
    trainer, progress, checkpoints = build(runtime, phase, seed)
    _restore(trainer, checkpoints, init)
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
