"""The page of several runs: what each came to, and in what they differ."""

import dataclasses
import math
import shlex
from collections.abc import Iterator, Mapping, Sequence

from garden.report import pictures, run
from garden.report.page import Cell, Fold, Gallery, Page, Part, Picture, Section, Table, Text
from garden.report.plots import GROUPS, plots
from garden.report.record import PhaseRecord, Record
from garden.report.text import duration

Phases = Sequence[tuple[str, PhaseRecord]]  # Of one name, with the labels of their runs.
_MISSING = Cell('none', 'faint')
_LISTED = 30  # More differences than these are folded away.


def page(records: Sequence[Record]) -> Page:
    """Returns the page of several runs."""
    names = list(dict.fromkeys(record.name for record in records))
    phases = list(dict.fromkeys(phase.name for record in records for phase in record.phases))
    sections = [
        Section('Results', list(_results(records, phases))),
        *(Section(group, _curves(records, phases, group)) for group in GROUPS),
        Section('Configuration', list(_configuration(records))),
        Section('Networks', list(_networks(records))),
        Section('Pictures', list(_pictures(records))),
        Section('Launches and versions', list(_versions(records))),
    ]
    what = f'of {names[0]}' if len(names) == 1 else f'of {len(names)} experiments'
    summary = f'{", ".join(record.label for record in records)}.'
    return Page(f'{len(records)} runs {what}', summary, sections)


def _results(records: Sequence[Record], names: Sequence[str]) -> Iterator[Part]:
    labels = [record.label for record in records]
    yield Table(('', *labels), list(_overview(records)), 'The runs')
    for name in names:
        found = _of_name(records, name)
        rows = list(_metrics(records, found))
        if rows:
            several = f' of phase {name}' if len(names) > 1 else ''
            yield Table(
                ('metric', *labels, 'target'), rows, f'The last evaluation{several}', numeric=True
            )
    yield Text(
        'Underlined is the best value, where a target, the best metric or the name of a loss says '
        'which way is better.',
        'faint',
    )


def _overview(records: Sequence[Record]) -> Iterator[Sequence[Cell | str]]:
    yield 'experiment', *(record.name for record in records)
    shown = [run.shown_phase(record) for record in records]
    yield 'state', *(run.state(phase) if phase else _MISSING for phase in shown)
    yield 'step', *(run.progress(phase) if phase else _MISSING for phase in shown)
    seconds = [sum(phase.training_seconds for phase in record.phases) for record in records]
    yield 'training time', *(duration(s) if s else _MISSING for s in seconds)
    seeds = [str(r.launches[-1].get('seed', '')) if r.launches else '' for r in records]
    yield 'seed', *(seed or _MISSING for seed in seeds)


def _metrics(records: Sequence[Record], found: Phases) -> Iterator[Sequence[Cell | str]]:
    phases = dict(found)
    last = {label: phase.last('eval')[1] for label, phase in found}
    bounds = {t.metric: str(t) for phase in phases.values() for t in phase.targets}
    for metric in dict.fromkeys([*bounds, *(name for values in last.values() for name in values)]):
        values = {label: v[metric] for label, v in last.items() if metric in v}
        best = _best(values, _direction(metric, list(phases.values())))
        cells = [
            _cell(phases[r.label], metric, values[r.label], r.label in best)
            if r.label in values
            else _MISSING
            for r in records
        ]
        yield metric, *cells, bounds.get(metric, '')


def _cell(phase: PhaseRecord, metric: str, value: float | None, best: bool) -> Cell:
    judged = run.judged(phase, metric, value)
    return Cell(judged.text, f'{judged.tone} best'.strip() if best else judged.tone)


def _direction(metric: str, phases: Sequence[PhaseRecord]) -> int:
    """Returns 1 where more of a metric is better, -1 where less is, 0 where nothing tells."""
    for phase in phases:
        for target in phase.targets:
            if target.metric == metric:
                return 1 if target.comparison == '>=' else -1
        if phase.settings.best_metric == metric:
            return -1 if phase.settings.best_mode == 'min' else 1
    return -1 if metric == 'loss' or metric.endswith('_loss') else 0


def _best(values: Mapping[str, float | None], direction: int) -> set[str]:
    """Returns the labels of the best values; none where all are alike."""
    finite = {k: direction * v for k, v in values.items() if v is not None and math.isfinite(v)}
    if not direction or len(values) < 2 or not finite or len(set(values.values())) < 2:
        return set()
    top = max(finite.values())
    return {label for label, value in finite.items() if value == top}


def _of_name(records: Sequence[Record], name: str) -> Phases:
    return [(r.label, phase) for r in records for phase in r.phases if phase.name == name]


def _curves(records: Sequence[Record], names: Sequence[str], group: str) -> list[Part]:
    found: list[Part] = []
    for name in names:
        drawn = plots(_of_name(records, name), group)
        if drawn:
            found.append(Gallery(drawn, f'Phase {name}' if len(names) > 1 else ''))
    if group == GROUPS[0]:
        told = 'Evaluations are drawn in front; the thin lines behind them are of training.'
        found.insert(0, Text(told if found else 'There are no metrics to draw yet.', 'faint'))
    return found


def _configuration(records: Sequence[Record]) -> Iterator[Part]:
    yield _differences(records, [r.settings.values for r in records], 'setting', 'Settings')
    for record in records:
        if record.settings.problem:
            yield Text(f'{record.label}: {record.settings.problem}', 'bad')
        if record.settings.text:
            yield Fold(f'config.gin of {record.label}', record.settings.text)


def _differences(
    records: Sequence[Record], values: Sequence[Mapping[str, str]], what: str, whose: str
) -> Part:
    keys = sorted({key for one in values for key in one}, key=str.lower)
    rows = [
        (key, *(one.get(key, Cell('not set', 'faint')) for one in values))
        for key in keys
        if len({one.get(key) for one in values}) > 1
    ]
    if not rows:
        return Text(f'{whose} are the same in all runs.')
    head = (what, *(record.label for record in records))
    caption = f'{whose} in which the runs differ: {len(rows)} of {len(keys)}'
    table = Table(head, rows, caption)
    return table if len(rows) <= _LISTED else Fold(caption, parts=[table])


def _networks(records: Sequence[Record]) -> Iterator[Part]:
    totals = [dict(_totals(record)) for record in records]
    names = dict.fromkeys(name for one in totals for name in one)
    rows = [(name, *(one.get(name, _MISSING) for one in totals)) for name in names]
    if rows:
        head = ('network', *(record.label for record in records))
        yield Table(head, rows, 'Trained parameters', numeric=True)
    else:
        yield Text('The runs have not written down what their networks cost.', 'faint')


def _totals(record: Record) -> Iterator[tuple[str, str]]:
    for phase in record.phases:
        for name, count in run.parameters(phase).items():
            yield f'{name}, phase {phase.name}' if len(record.phases) > 1 else name, f'{count:,}'


def _pictures(records: Sequence[Record]) -> Iterator[Part]:
    found: dict[tuple[str, str], list[Picture]] = {}
    for index, record in enumerate(records, 1):
        prefix = f'run_{index}_'
        for picture in pictures.latest(record, prefix)[0]:
            shown = dataclasses.replace(
                picture, caption=record.label, alt=f'{picture.caption} of {record.label}'
            )
            key = (picture.name.removeprefix(prefix), picture.caption)
            found.setdefault(key, []).append(shown)
    for (_, caption), drawn in found.items():
        yield Gallery(drawn, caption, 'pictures')
    if not found:
        yield Text('The runs have drawn no pictures.', 'faint')


def _versions(records: Sequence[Record]) -> Iterator[Part]:
    rows = []
    for record in records:
        for launch in record.launches[-1:]:
            command = shlex.join(map(str, launch.get('command', ())))
            rows.append((record.label, command, str(launch.get('devices', ''))))
    if rows:
        yield Table(('run', 'command', 'devices'), rows, 'The last launch of each run')
    yield _differences(records, [r.versions for r in records], 'package', 'Versions')
