"""What a run has left in its folder, read without TensorFlow, whatever state the run is in."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from garden.core.errors import UserError
from garden.engine import experiments
from garden.engine.run_folder import RunFolder
from garden.engine.targets import Target
from garden.report.settings import PhaseSettings, Settings

RATES = ('steps_per_second', 'examples_per_second')
_KEYS = {'phase', 'kind', 'step'}

# By step; None stands for a number that is not finite.
Values = Mapping[int, float | None]


@dataclasses.dataclass(frozen=True)
class PhaseRecord:
    """What one phase of a run has left.

    Attributes:
      settings: its name and schedule, as far as the configuration tells.
      curves: 'train' or 'eval' to the metrics by name to their values.
      targets: the targets of the evaluation.
      best: the best evaluation with its step, if there is one.
      state: 'finished', 'stopped early', 'running', 'diverged', 'unfinished', 'not begun', or
        'evaluated' where nothing was trained.
      recoveries: when it went back because it diverged: rows with 'step', 'restored', 'what'.
      bad_examples: the examples that it left out: rows with 'place', 'problem', 'step'.
      networks: its networks by name, as `networks.json` has them.
    """

    settings: PhaseSettings
    curves: Mapping[str, Mapping[str, Values]]
    targets: Sequence[Target]
    best: Mapping[str, float]
    state: str
    recoveries: Sequence[Mapping[str, Any]]
    bad_examples: Sequence[Mapping[str, Any]]
    networks: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The phase's name."""
        return self.settings.name

    @property
    def step(self) -> int:
        """The last step of which there is any metric."""
        return max(
            (s for kind in self.curves.values() for v in kind.values() for s in v), default=0
        )

    def last(self, kind: str) -> tuple[int, dict[str, float | None]]:
        """Returns the step and the metrics of the last row of a kind; 0 and nothing without one."""
        metrics = self.curves.get(kind, {})
        step = max((s for values in metrics.values() for s in values), default=0)
        return step, {name: v[step] for name, v in metrics.items() if step in v}

    @property
    def training_seconds(self) -> float:
        """The time that its steps took, evaluations and interruptions left out."""
        seconds, before = 0.0, 0
        for step, rate in sorted(self.curves.get('train', {}).get(RATES[0], {}).items()):
            seconds += (step - before) / rate if rate else 0.0
            before = step
        return seconds


@dataclasses.dataclass(frozen=True)
class Record:
    """What a run has left.

    Attributes:
      folder: its folder.
      label: what the page calls it.
      name: of its experiment.
      header: what the experiment says of itself.
      settings: its configuration.
      phases: those that it has, in order.
      launches: what `run.json` says of each launch.
    """

    folder: RunFolder
    label: str
    name: str
    header: experiments.Header
    settings: Settings
    phases: Sequence[PhaseRecord]
    launches: Sequence[Mapping[str, Any]]

    @property
    def versions(self) -> dict[str, str]:
        """The versions of the last launch: Python, the system, every package."""
        if not self.launches:
            return {}
        last = self.launches[-1]
        own = {name: last[name] for name in ('python', 'platform') if name in last}
        return own | dict(last.get('versions') or {})


def read(path: Path, label: str) -> Record:
    """Reads the folder of a run."""
    folder = RunFolder(path, write=False)
    text = _text(path / folder.config.name)
    settings = Settings(text)
    rows, evaluated = _rows(folder), _rows(RunFolder(path, write=False, trains=False))
    # What processes that only evaluate have found gives way to what the trainer has found itself.
    every = [row for row in evaluated if row['kind'] == 'eval'] + rows
    told = {p['phase']: p for p in _summaries(path)}
    known = {row['phase']: None for row in every} | dict.fromkeys(told)
    phases = [*settings.phases]
    phases += [PhaseSettings(name) for name in known if name not in {p.name for p in phases}]
    header = experiments.parse_header(text)
    return Record(
        folder=folder,
        label=label,
        name=header.fields.get('Name', label),
        header=header,
        settings=settings,
        phases=[_phase(folder, p, every, told.get(p.name, {})) for p in phases],
        launches=_launches(path),
    )


def _phase(
    folder: RunFolder,
    settings: PhaseSettings,
    rows: Sequence[Mapping[str, Any]],
    told: Mapping[str, Any],
) -> PhaseRecord:
    own = [row for row in rows if row['phase'] == settings.name]
    curves: dict[str, dict[str, dict[int, float | None]]] = {'train': {}, 'eval': {}}
    for row in own:
        for name, value in row.items():
            if name not in _KEYS and row['kind'] in curves:
                curves[row['kind']].setdefault(name, {})[row['step']] = value
    bad = {(row['place'], row['problem']): row for row in own if row['kind'] == 'bad_example'}
    return PhaseRecord(
        settings=settings,
        curves=curves,
        targets=_targets(settings.targets or list(told.get('targets') or ())),
        best=told.get('best') or {},
        state=_state(folder, settings, curves, told),
        recoveries=[row for row in own if row['kind'] == 'recovery'],
        bad_examples=list(bad.values()),
        networks=folder.read_networks().get(settings.name, {}),
    )


def _state(
    folder: RunFolder,
    settings: PhaseSettings,
    curves: Mapping[str, Mapping[str, Values]],
    told: Mapping[str, Any],
) -> str:
    if folder.ended(settings.name).exists():
        return 'stopped early' if told.get('stopped_early') else 'finished'
    if not curves['train'] and curves['eval']:
        return 'evaluated'
    # A phase that begins saves its state before its first step.
    if not curves['train'] and not folder.has_checkpoint(settings.name):
        return 'not begun'
    if folder.busy:
        return 'running'
    last = max((step for values in curves['train'].values() for step in values), default=0)
    diverged = any(values.get(last, 0.0) is None for values in curves['train'].values())
    return 'diverged' if diverged else 'unfinished'


def _targets(texts: Sequence[str]) -> list[Target]:
    found = []
    for text in texts:
        try:
            found.append(Target.parse(str(text)))
        except UserError:  # The run itself has refused it.
            continue
    return found


def _rows(folder: RunFolder) -> list[dict[str, Any]]:
    rows = list(folder.read_metrics())
    return [row for row in rows if isinstance(row['step'], int) and isinstance(row['phase'], str)]


def _summaries(path: Path) -> list[dict[str, Any]]:
    """Returns what was said of each phase, by the trainer last."""
    return [
        phase
        for trains in (False, True)
        for phase in RunFolder(path, trains=trains).read_summary()
        if isinstance(phase, dict) and 'phase' in phase
    ]


def _launches(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads((path / 'run.json').read_text())['launches']
    except (OSError, ValueError, KeyError, TypeError):  # None, or cut short by a kill.
        return []
    return [launch for launch in found if isinstance(launch, dict)]


def _text(path: Path) -> str:
    return path.read_text(errors='replace') if path.is_file() else ''
