"""Plots of metrics over the steps, one for each metric, of one run or of several in one frame."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from garden.figures import canvas, curves, png
from garden.figures.curves import Line
from garden.report.page import Picture
from garden.report.record import RATES, PhaseRecord, Values
from garden.report.text import number

GROUPS = ('Learning curves', 'Learning rate and throughput')

_KINDS = {'train': 'training', 'eval': 'evaluation'}
_DECADES = 30.0  # From this ratio of their deciles on, values are drawn on a logarithmic axis.


def plots(runs: Sequence[tuple[str, PhaseRecord]], group: str) -> list[Picture]:
    """Draws the metrics of a group, those that matter most first.

    Args:
      runs: phases of one name, each with the label of its run.
      group: one of `GROUPS`.
    """
    return [_plot(runs, metric) for metric in _metrics(runs) if _group(metric) == group]


def _metrics(runs: Sequence[tuple[str, PhaseRecord]]) -> list[str]:
    """Returns what the phases report: targets, the best metric, evaluations, then the rest."""
    targets = {target.metric for _, phase in runs for target in phase.targets}
    best = {phase.settings.best_metric for _, phase in runs}
    evaluated = {name for _, phase in runs for name in phase.curves['eval']}
    found = dict.fromkeys(
        name for _, phase in runs for kind in ('eval', 'train') for name in phase.curves[kind]
    )
    return sorted(found, key=lambda m: (m not in targets, m not in best, m not in evaluated))


def _group(metric: str) -> str:
    return GROUPS[metric in RATES or 'learning_rate' in metric]


def _plot(runs: Sequence[tuple[str, PhaseRecord]], metric: str) -> Picture:
    found = list(_curves(runs, metric))
    lines = _single(found) if len(runs) == 1 else _overlaid(found, [label for label, _ in runs])
    bounds = {t.bound for _, phase in runs for t in phase.targets if t.metric == metric}
    logarithmic = _group(metric) == GROUPS[0] and _spans_decades(lines)
    drawn = curves.panel(lines, bounds.pop() if len(bounds) == 1 else None, logarithmic)
    gaps = sum(value is None for _, _, values in found for value in values.values())
    caption = metric + (f' (not finite and left out: {gaps:,})' if gaps else '')
    name = f'plot_{runs[0][1].name}_{metric}'
    return Picture(name, png.encode(drawn), caption, _in_words(metric, found, len(runs) > 1))


def _curves(
    runs: Sequence[tuple[str, PhaseRecord]], metric: str
) -> Iterator[tuple[str, str, Values]]:
    for label, phase in runs:
        for kind in _KINDS:
            values = phase.curves[kind].get(metric)
            if values:
                yield label, kind, values


def _single(found: Sequence[tuple[str, str, Values]]) -> list[Line]:
    colours = {'train': canvas.ACCENT, 'eval': canvas.SECOND}
    return [_line(values, _KINDS[kind], colours[kind]) for _, kind, values in found]


def _overlaid(found: Sequence[tuple[str, str, Values]], labels: Sequence[str]) -> list[Line]:
    """One colour for each run: evaluations in front, where there are any, training behind them."""
    evaluated = {label for label, kind, _ in found if kind == 'eval'}
    lines = []
    for label, kind, values in found:
        behind = kind == 'train' and bool(evaluated)
        colour = canvas.MANY[labels.index(label) % len(canvas.MANY)]
        named = label if not behind or label not in evaluated else ''
        lines.append(_line(values, named, colour, behind))
    return sorted(lines, key=lambda line: not line.thin)


def _line(values: Values, name: str, colour: str, thin: bool = False) -> Line:
    steps = sorted(values)
    numbers = [values[step] for step in steps]
    return Line(steps, [math.nan if v is None else v for v in numbers], name, colour, thin)


def _spans_decades(lines: Sequence[Line]) -> bool:
    values = np.concatenate([np.asarray(line.values, float) for line in lines])
    values = values[np.isfinite(values)]
    if not len(values) or values.min() <= 0:
        return False
    low, high = np.quantile(values, (0.1, 0.9))
    return bool(high / low >= _DECADES)


def _in_words(metric: str, found: Sequence[tuple[str, str, Values]], several: bool) -> str:
    told = []
    for label, kind, values in found:
        first, last = min(values), max(values)
        who = f'{_KINDS[kind]} of {label}' if several else _KINDS[kind]
        told.append(f'{who} from {number(values[first])} to {number(values[last])}')
    return f'{metric} over the steps: {"; ".join(told)}.'
