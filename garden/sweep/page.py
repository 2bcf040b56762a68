"""The page of a sweep: its best trial, all trials, and how they depend on each setting."""

import ast
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from garden.core.errors import UserError
from garden.core.registry import register
from garden.engine.run_folder import RunFolder
from garden.report.page import Cell, Fold, Gallery, Page, Picture, Section, Table, Text
from garden.sweep import plan
from garden.sweep.folder import COMPLETE, RUNNING, SweepFolder, Trial, best
from garden.sweep.metrics import counted, finite
from garden.sweep.plan import Stored
from garden.sweep.space import Range, short

_TONES = {COMPLETE: '', 'pruned': 'faint', RUNNING: 'faint'}


@register('pages', 'study')
class SweepPage:
    """Makes the page of a sweep from its folder; needs neither its engine nor its data base."""

    kind = 'sweep'
    sign = 'sweep.gin'

    def recognises(self, folder: Path) -> bool:
        """See `garden.report.kinds.PageMaker`."""
        return (folder / 'sweep.gin').is_file()

    def page(self, folders: Sequence[Path]) -> Page:
        """See `garden.report.kinds.PageMaker`."""
        if len(folders) > 1:
            raise UserError(f'{folders[1]}: a report is about one sweep. Name one folder.')
        folder = SweepFolder(folders[0])
        stored = plan.stored(folder.config)
        trials = folder.trials()
        leader = best(trials, stored.goal)
        goal = 'highest' if stored.goal == 'max' else 'lowest'
        return Page(
            folder.path.resolve().name,
            f'The {goal} {stored.metric} of {stored.experiment} over {len(stored.space)} settings.',
            [
                Section('The best trial', _best(folder, leader) if leader else []),
                Section('The search', _search(folder, stored, trials, leader)),
                Section('Trials', [_table(stored, trials, leader)]),
            ],
            _facts(stored, trials, leader),
        )


def _facts(
    stored: Stored, trials: Sequence[Trial], leader: Trial | None
) -> list[tuple[str, Cell | str]]:
    states = [trial.state for trial in trials]
    counts = ', '.join(f'{states.count(state)} {state}' for state in dict.fromkeys(states))
    hours = sum(trial.seconds for trial in trials) / 3600
    facts: list[tuple[str, Cell | str]] = [('trials', counts or 'none')]
    if leader is not None:
        facts.insert(0, (f'best {stored.metric}', Cell(_number(leader.value), 'best')))
    return [*facts, ('time of all trials', f'{hours:.2f} hours')]


def _best(folder: SweepFolder, leader: Trial) -> list[Text | Table | Fold]:
    launch = f'--experiment={folder.best}'
    return [
        Text(f'Trial {leader.number}. As an experiment: {launch}'),
        Table(('setting', 'value'), [*leader.point.items()], 'Its settings, as gin reads them'),
        Fold('Its command, which also continues it', shlex.join(leader.command)),
    ]


def _table(stored: Stored, trials: Sequence[Trial], leader: Trial | None) -> Table:
    rows: list[list[Cell | str]] = []
    for trial in trials:
        tone = 'best' if trial == leader else _TONES.get(trial.state, 'bad')
        settings = [short(trial.point.get(key, '')) for key in stored.space]
        shown = [_number(trial.value), '' if trial.step is None else f'{trial.step:,}']
        state = Cell(f'{trial.state}: {trial.reason}' if trial.reason else trial.state, tone)
        value = Cell(shown[0], tone)
        rows.append([str(trial.number), value, shown[1], f'{trial.seconds:,.0f}', *settings, state])
    names = [key.rpartition('.')[2] for key in stored.space]
    head = ('trial', stored.metric, 'step', 'seconds', *names, 'state')
    return Table(head, rows, 'All trials. An unfinished one is continued by the next sweep.', True)


def _search(
    folder: SweepFolder, stored: Stored, trials: Sequence[Trial], leader: Trial | None
) -> list[Gallery]:
    from garden.figures import png, search

    dots = [
        search.Dot(t.number, t.state, t.value, {k: _place(v) for k, v in t.point.items()})
        for t in trials
        if t.value is not None
    ]
    if not dots:
        return []
    metric = stored.metric
    log = {key: isinstance(d, Range) and d.log for key, d in stored.space.items()}
    number = leader.number if leader else None
    drawn = (
        (
            'values',
            search.values(dots, metric, stored.goal),
            'What each trial came to; pruned ones beyond the others at the edge',
        ),
        (
            'curves',
            search.curves(_curves(folder, stored, trials), number, metric),
            'The evaluations of all trials',
        ),
    )
    wide = search.slices(dots, log, metric)
    return [
        Gallery([Picture(name, png.encode(array), text) for name, array, text in drawn]),
        Gallery(
            [Picture('settings', png.encode(wide), f'{metric} over each setting, as above')],
            layout='pictures',
        ),
    ]


def _curves(
    folder: SweepFolder, stored: Stored, trials: Sequence[Trial]
) -> Mapping[int, tuple[list[float], list[float]]]:
    found: dict[int, tuple[list[float], list[float]]] = {}
    for trial in trials:
        rows = RunFolder(folder.run_folder(trial.number)).read_metrics()
        evaluations = [row for row in rows if row['kind'] == 'eval']
        values = finite(counted(evaluations, stored.metric, stored.phase))
        if values:
            found[trial.number] = ([step for step, _ in values], [value for _, value in values])
    return found


def _place(text: str) -> float | str:
    """Returns where a value stands on an axis: a number, or a text among others."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def _number(value: float | None) -> str:
    return '' if value is None else f'{value:.5g}'
