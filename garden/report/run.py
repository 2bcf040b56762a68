"""The page of one run."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from garden.report import pictures
from garden.report.page import Cell, Fold, Gallery, Page, Part, Section, Table, Text
from garden.report.plots import GROUPS, plots
from garden.report.record import RATES, PhaseRecord, Record
from garden.report.text import duration, number

_NAMED = ('garden', 'python', 'tensorflow', 'tf_keras', 'tf-models-official', 'numpy', 'platform')
_LISTED = 20


def page(record: Record) -> Page:
    """Returns the page of a run."""
    sections = [
        Section('Result', list(_result(record))),
        *(Section(group, _curves(record, group)) for group in GROUPS),
        Section('Pictures', _pictures(record)),
        Section('Pictures over the steps', pictures.over_steps(record)),
        Section('Networks', list(_networks(record))),
        Section('Configuration', list(_configuration(record))),
        Section('Launches and versions', list(_launches(record))),
    ]
    return Page(record.name, record.header.summary, sections, list(_facts(record)))


def shown_phase(record: Record) -> PhaseRecord | None:
    """Returns the phase that tells most of a run: the last that has begun."""
    begun = [phase for phase in record.phases if phase.state != 'not begun']
    return next(reversed(begun or record.phases), None)


def state(phase: PhaseRecord) -> Cell:
    """Returns how a phase has ended, if it has."""
    return Cell(phase.state, 'bad' if phase.state == 'diverged' else '')


def progress(phase: PhaseRecord) -> str:
    """Returns how far a phase has come."""
    total = phase.settings.train_steps
    return f'{phase.step:,}' + (f' of {total:,}' if total else '')


def parameters(phase: PhaseRecord) -> dict[str, int]:
    """Returns the trained parameters of each network."""
    return {
        name: sum(part['parameters'] for part in network['parts'])
        for name, network in phase.networks.items()
    }


def judged(phase: PhaseRecord, metric: str, value: float | None) -> Cell:
    """Returns a value of the last evaluation, marked if there is a target for it."""
    own = [target for target in phase.targets if target.metric == metric]
    if not own:
        return Cell(number(value))
    met = value is not None and all(target.met({metric: value}) for target in own)
    return Cell(number(value), 'good' if met else 'bad')


def _facts(record: Record) -> Iterator[tuple[str, Cell | str]]:
    phase = shown_phase(record)
    if phase is None:
        return
    yield 'State', state(phase)
    yield 'Step', progress(phase)
    _, metrics = phase.last('eval')
    for target in phase.targets:
        value = metrics.get(target.metric)
        found = target.metric in metrics
        told = judged(phase, target.metric, value) if found else Cell('not evaluated', 'faint')
        yield str(target), told
    best = phase.settings.best_metric
    if not phase.targets:
        for metric in [best] if best in metrics else list(metrics)[:2]:
            yield str(metric), number(metrics[str(metric)])
    if phase.training_seconds:
        yield 'Training time', duration(phase.training_seconds)
    if phase.networks:
        yield 'Parameters', f'{sum(parameters(phase).values()):,}'


def _result(record: Record) -> Iterator[Part]:
    if not record.phases:
        yield Text('The run has left no metrics yet, and no configuration that names a phase.')
    for phase in record.phases:
        yield from _phase_result(phase, record)


def _phase_result(phase: PhaseRecord, record: Record) -> Iterator[Part]:
    name = f'Phase {phase.name}' if len(record.phases) > 1 else 'The run'
    if phase.state in ('unfinished', 'diverged', 'running', 'not begun'):
        again = ' The same command goes on with it.' if phase.state == 'unfinished' else ''
        yield Text(f'{name} {_told(phase)}.{again}', state(phase).tone)
    evaluated, trained = (phase.last(kind)[1] for kind in ('eval', 'train'))
    if evaluated or trained:
        yield _metrics(phase)
    if trained and not evaluated:
        yield Text(f'{name} was not evaluated yet.', 'faint')
    if phase.best:
        best = ', '.join(f'{k} {number(v)}' for k, v in phase.best.items() if k != 'step')
        yield Text(f'Best evaluation: {best}, at step {phase.best.get("step", 0):,.0f}.')
    yield from _incidents(phase)


def _told(phase: PhaseRecord) -> str:
    if phase.state == 'not begun':
        return 'has not begun yet'
    if phase.state == 'diverged':
        return f'has diverged: at step {phase.step:,}, a number was not finite any more'
    return f'is {phase.state}: step {progress(phase)}'


def _metrics(phase: PhaseRecord) -> Table:
    (evaluated, evaluation), (trained, training) = phase.last('eval'), phase.last('train')
    bounds = {target.metric: str(target) for target in phase.targets}
    rows = [
        (
            metric,
            judged(phase, metric, evaluation[metric]) if metric in evaluation else '',
            number(training[metric]) if metric in training else '',
            bounds.get(metric, ''),
        )
        for metric in dict.fromkeys([*bounds, *evaluation, *training])
        if metric not in RATES
    ]
    caption = f'Metrics at step {evaluated or trained:,}'
    if evaluation and training and evaluated != trained:
        caption += f', of training at step {trained:,}'
    return Table(('metric', 'evaluation', 'training', 'target'), rows, caption, numeric=True)


def _incidents(phase: PhaseRecord) -> Iterator[Part]:
    for row in phase.recoveries:
        what = ', '.join(map(str, row.get('what', ())))
        yield Text(
            f'At step {row["step"]:,}, {what} was not finite: the run went back to step '
            f'{row.get("restored", 0):,} and on with other batches.'
        )
    if phase.bad_examples:
        rows = [
            (str(bad.get('place', '')), str(bad.get('problem', '')), f'{bad["step"]:,}')
            for bad in phase.bad_examples[:_LISTED]
        ]
        count = len(phase.bad_examples)
        more = f'; the first {_LISTED}' if count > _LISTED else ''
        caption = f'Examples that could not be read and were left out: {count:,}{more}'
        yield Table(('place', 'problem', 'step'), rows, caption)


def _curves(record: Record, group: str) -> list[Part]:
    found: list[Part] = []
    for phase in record.phases:
        drawn = plots([(record.label, phase)], group)
        if drawn:
            found.append(Gallery(drawn, f'Phase {phase.name}' if len(record.phases) > 1 else ''))
    if not found and group == GROUPS[0]:
        found.append(Text('There are no metrics to draw yet.', 'faint'))
    return found


def _pictures(record: Record) -> list[Part]:
    found, broken = pictures.latest(record)
    parts: list[Part] = [Gallery(found, layout='pictures')] if found else []
    if broken:
        parts.append(Text(f'{", ".join(broken)} cannot be read: cut short by a kill.', 'faint'))
    return parts or [Text('The run has drawn no pictures.', 'faint')]


def _networks(record: Record) -> Iterator[Part]:
    for phase in record.phases:
        for name, network in phase.networks.items():
            several = f'{name}, phase {phase.name}' if len(record.phases) > 1 else name
            yield _network(several, network)
            for remark in network.get('uncertain', ()):
                yield Text(f'Not counted in full: {remark}', 'faint')
    if not any(phase.networks for phase in record.phases):
        yield Text('The run has not written down what its networks cost.', 'faint')


def _network(name: str, network: Mapping[str, Any]) -> Table:
    sums = ('parameters', 'fixed_parameters', 'multiply_adds', 'activations')
    rows: list[Sequence[Cell | str]] = [
        (
            part['name'],
            'x'.join(str(size) for size in (part['output_shape'] or ())[1:]),
            *(f'{part[column]:,}' for column in sums),
        )
        for part in network['parts']
    ]
    total = {column: sum(part[column] for part in network['parts']) for column in sums}
    rows.append(('total', '', *(f'{total[column]:,}' for column in sums)))
    shapes = ', '.join('x'.join(map(str, shape)) for shape in network['inputs'])
    head = ('part', 'output', 'parameters', 'not trained', 'multiply-adds', 'activations')
    return Table(head, rows, f'{name}, for an input of {shapes}', numeric=True)


def _configuration(record: Record) -> Iterator[Part]:
    if record.settings.problem:
        yield Text(f'The configuration cannot be read: {record.settings.problem}', 'bad')
    fields = {k: v for k, v in record.header.fields.items() if k != 'Name'}
    if fields:
        yield Table(('', ''), list(fields.items()), 'What the experiment says of itself')
    if record.settings.text:
        yield Fold('config.gin: the resolved configuration', record.settings.text)
    else:
        yield Text('There is no config.gin: the run was evaluated only.', 'faint')
    used = record.folder.path / 'operative_config.gin'
    if used.exists():
        yield Fold('operative_config.gin: what was used, defaults included', used.read_text())


def _launches(record: Record) -> Iterator[Part]:
    if not record.launches:
        yield Text('There is no run.json: nothing is known of launches and versions.', 'faint')
        return
    rows = [
        (
            str(launch.get('time', '')).replace('T', ' ').replace('+00:00', ' UTC'),
            shlex.join(map(str, launch.get('command', ()))),
            str(launch.get('seed', '')),
            str(launch.get('devices', '')),
            _commit(launch.get('git')),
        )
        for launch in record.launches
    ]
    yield Table(('time', 'command', 'seed', 'devices', 'commit'), rows, 'Launches')
    versions = record.versions
    named = [(name, versions[name]) for name in _NAMED if name in versions]
    yield Table(('', ''), named, 'Versions of the last launch')
    every = '\n'.join(f'{name}=={version}' for name, version in versions.items())
    yield Fold(f'All {len(versions)} versions', every)


def _commit(git: Any) -> str:
    if not isinstance(git, Mapping):
        return 'no git'
    return str(git.get('commit', ''))[:10] + (' and changes' if git.get('changed') else '')
