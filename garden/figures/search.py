"""What a search has found: values of trials, their curves, and how they depend on each setting."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from garden.figures import canvas
from garden.figures.curves import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = '#9aa5ae'
_MARKS = {'complete': ('o', canvas.ACCENT), 'pruned': ('v', _GREY)}


@dataclasses.dataclass(frozen=True)
class Dot:
    """A trial.

    Attributes:
      number: its number.
      state: 'complete', 'pruned' or another.
      value: what it came to.
      settings: what it was run with, by name; a number or a text.
    """

    number: int
    state: str
    value: float
    settings: Mapping[str, float | str]


def values(dots: Sequence[Dot], metric: str, goal: str) -> np.ndarray:
    """Draws the value of each trial, and the best so far of those that are complete."""
    figure = canvas.new(5.6, 3.4)
    axes = figure.add_subplot()
    _scatter(axes, dots, [dot.number for dot in dots])
    complete = sorted((d for d in dots if d.state == 'complete'), key=lambda dot: dot.number)
    if complete:
        best = (np.maximum if goal == 'max' else np.minimum).accumulate([d.value for d in complete])
        numbers = [dot.number for dot in complete]
        axes.step(numbers, best, where='post', color=canvas.SECOND, label='best so far', zorder=1)
    _finish(axes, 'trial', metric)
    axes.locator_params(axis='x', integer=True)
    axes.legend(frameon=False)
    return canvas.pixels(figure)


def curves(found: Mapping[int, Curve], best: int | None, metric: str) -> np.ndarray:
    """Draws the metric of all trials over their steps, the best one in front.

    Args:
      found: (steps, values) by the number of the trial.
      best: the number of the best trial, None for none.
      metric: the name of the metric.
    """
    figure = canvas.new(5.6, 3.4)
    axes = figure.add_subplot()
    for number, (steps, reached) in found.items():
        if number != best:
            axes.plot(steps, reached, color=_GREY, linewidth=0.8, alpha=0.7, marker='.', ms=3)
    if best is not None and best in found:
        axes.plot(*found[best], color=canvas.SECOND, marker='.', label=f'trial {best}, the best')
        axes.legend(frameon=False)
    _finish(axes, 'step', metric)
    return canvas.pixels(figure)


def slices(dots: Sequence[Dot], logarithmic: Mapping[str, bool], metric: str) -> np.ndarray:
    """Draws the values over each setting, a panel for each, at most three in a row.

    Args:
      dots: the trials.
      logarithmic: whether its axis is, for each setting.
      metric: the name of the metric.
    """
    columns = min(3, len(logarithmic))
    rows = -(-len(logarithmic) // columns)
    figure = canvas.new(3.8 * columns, 3.0 * rows)
    for i, (name, log) in enumerate(logarithmic.items()):
        axes = figure.add_subplot(rows, columns, i + 1)
        places = [dot.settings[name] for dot in dots]
        if any(isinstance(place, str) for place in places):
            words = sorted({str(place) for place in places})
            axes.set_xticks(range(len(words)), words)
            axes.set_xlim(-0.5, len(words) - 0.5)
            places = [words.index(str(place)) for place in places]
        elif log:
            axes.set_xscale('log')
        _scatter(axes, dots, [float(place) for place in places])
        _finish(axes, name, metric if i % columns == 0 else '')
    return canvas.pixels(figure)


def _scatter(axes: 'Axes', dots: Sequence[Dot], places: Sequence[float]) -> None:
    """Draws the dots; those beyond what the complete trials came to stand at the edge."""
    complete = [dot.value for dot in dots if dot.state == 'complete']
    low, high = (min(complete), max(complete)) if len(set(complete)) > 1 else (-np.inf, np.inf)
    if np.isfinite(low):
        margin = 0.08 * (high - low)
        low, high = low - margin, high + margin
        axes.set_ylim(low - margin / 2, high + margin / 2)
    for state in dict.fromkeys(dot.state for dot in dots):
        marker, colour = _MARKS.get(state, ('x', canvas.INK))
        chosen = [i for i, dot in enumerate(dots) if dot.state == state]
        x, y = [places[i] for i in chosen], [dots[i].value for i in chosen]
        axes.scatter(x, np.clip(y, low, high), marker=marker, color=colour, s=22, label=state)


def _finish(axes: 'Axes', x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color=canvas.FAINT, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[['top', 'right']].set_visible(False)
