"""The gin file of a sweep: what is varied, by which measure, by which engine, for how long."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gin

from garden.core.errors import UserError, did_you_mean
from garden.engine import config as config_lib
from garden.engine import config_check, config_reader, experiments
from garden.sweep.engine import Engine
from garden.sweep.space import Space, parse, written

GOALS = ('max', 'min')
VALUES = ('last', 'best')
ROOT = 'garden.sweep'
# Another number of these is no other sweep.
FREE = ('garden.sweep.trials', 'garden.sweep.max_failures')


@gin.register('sweep', module='garden')
@dataclasses.dataclass(frozen=True)
class Sweep:
    """A sweep.

    Attributes:
      experiment: the name of an experiment, or a gin file.
      space: the settings that are varied, as on the left side of a binding, each with its values: a
        list of some, or ('uniform', low, high), ('log', low, high), ('int', low, high) or
        ('int_log', low, high); 'uniform' and 'int' take a step as well.
      metric: the name of a metric of the evaluation.
      engine: what proposes the points and says which trials are not worth going on with.
      goal: 'max' if larger is better, 'min' if smaller is.
      trials: how many there are to be, those that fail included; None for all points of a grid.
      settings: what is set in all trials alike, e.g. {'train_steps': 300}.
      phase: the phase whose evaluations count; None for the last that has any with the metric.
      value: what a trial comes to: the 'last' of its evaluations, or the 'best'.
      seed: of the search.
      vary_seed: whether a trial's number is the seed of its run; all runs have the experiment's if
        not.
      max_failures: failures in a row after which the sweep stops.
    """

    experiment: str
    space: Mapping[str, Any]
    metric: str
    engine: Engine
    goal: str = 'max'
    trials: int | None = None
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    phase: str | None = None
    value: str = 'last'
    seed: int = 0
    vary_seed: bool = False
    max_failures: int = 3

    def __post_init__(self) -> None:
        for field, known in (('goal', GOALS), ('value', VALUES)):
            given = getattr(self, field)
            if given not in known:
                raise UserError(
                    f'sweep.{field} {given!r} is not known.{did_you_mean(given, known)} '
                    f'It is one of {", ".join(known)}.'
                )
        for field in ('trials', 'max_failures'):
            number = getattr(self, field)
            if number is not None and number < 1:
                raise UserError(f'sweep.{field} is at least 1; {number} is not.')
        both = sorted({*self.space} & {*self.settings})
        if both:
            raise UserError(f'{both[0]} is in sweep.space and in sweep.settings: choose one.')


@dataclasses.dataclass(frozen=True)
class Plan:
    """A sweep, read and checked.

    Attributes:
      name: that of the file.
      sweep: what it says.
      space: the space that it states.
      settings: the bindings that all trials share, values as gin writes them.
      experiment: what the trials are told with `--experiment`.
      text: the resolved configuration of the sweep.
      where: where the space is stated, as file:line.
      unused: what nothing reads of the file, a line for each.
    """

    name: str
    sweep: Sweep
    space: Space
    settings: Mapping[str, str]
    experiment: str
    text: str
    where: str
    unused: Sequence[str]


def read(path: str, overrides: Sequence[str] = ()) -> Plan:
    """Reads the gin file of a sweep.

    Args:
      path: the file.
      overrides: bindings that come after those of the file, e.g. 'sweep.trials = 50'.

    Raises:
      UserError: for any mistake in it.
    """
    _refuse_references(path, overrides)
    config = config_lib.load(path, overrides, root=ROOT)
    where = config.provenance['garden.sweep.space']
    make: Callable[[], Sweep] = gin.get_configurable(ROOT)
    try:
        sweep = make()
        space = parse(sweep.space, where)
    except UserError as error:
        raise UserError(f'{config_lib.explain(error)}{config.places(str(error), error)}') from error
    found = _experiment(sweep.experiment, config.provenance['garden.sweep.experiment'])
    return Plan(
        name=config.name,
        sweep=sweep,
        space=space,
        settings={key: written(value) for key, value in sweep.settings.items()},
        experiment=sweep.experiment if '.gin' not in sweep.experiment else str(found),
        text=config.text,
        where=where,
        unused=config.unused(),
    )


def _experiment(name: str, where: str) -> Path:
    try:
        return experiments.find(name)
    except UserError as error:
        raise UserError(f'{where}: {error}') from error


def _refuse_references(path: str, overrides: Sequence[str]) -> None:
    """Gin would make what the space refers to, here and now."""
    for binding in config_reader.read(experiments.find(path), overrides).bindings:
        if not binding.name.endswith('sweep') or binding.parameter not in ('space', 'settings'):
            continue
        for leaf in config_check.leaves(binding.value):
            if isinstance(leaf, config_reader.Reference | config_reader.Macro):
                raise UserError(
                    f'{leaf.where}: the trial is to read {leaf}, not the sweep: write it as the '
                    f"text '{leaf}'."
                )


def changes(stored: Path, plan: Plan) -> list[str]:
    """Returns what makes a plan another sweep than the stored one, a line for each setting."""
    return [
        change
        for change in config_lib.difference(stored.read_text(), plan.text)
        if not change.startswith(tuple(f'{key}:' for key in FREE))
    ]


@dataclasses.dataclass(frozen=True)
class Stored:
    """What the stored configuration of a sweep says, read without its engine.

    Attributes:
      experiment: see `Sweep`, as the others.
      space: the space, parsed.
      metric: the metric.
      goal: 'max' or 'min'.
      phase: the phase, None for the last.
    """

    experiment: str
    space: Space
    metric: str
    goal: str
    phase: str | None


def stored(path: Path) -> Stored:
    """Reads the configuration that a sweep has stored."""
    bindings = {b.key: b for b in config_reader.parse(path.read_text(), str(path))}

    def get(name: str, default: Any = None) -> Any:
        binding = bindings.get(f'{ROOT}.{name}')
        return config_check.expand(binding.value, bindings) if binding else default

    return Stored(
        experiment=get('experiment'),
        space=parse(get('space'), str(path)),
        metric=get('metric'),
        goal=get('goal', 'max'),
        phase=get('phase'),
    )
