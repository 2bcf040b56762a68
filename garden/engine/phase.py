"""A phase: a task and its schedule, and what it came to."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import gin

from garden.core.errors import UserError
from garden.core.task import Task


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
