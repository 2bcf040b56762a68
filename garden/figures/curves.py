"""Curves over training steps."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from garden.figures import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Curve = tuple[Sequence[float], Sequence[float]]

_COLOURS = {'train': canvas.ACCENT, 'eval': canvas.SECOND, 'schedule': canvas.ACCENT}
_FEW = 30  # Points that are marked one by one.


@dataclasses.dataclass(frozen=True)
class Line:
    """A curve and how it is drawn.

    Attributes:
      steps: where it has values.
      values: one for each step; NaN leaves a gap.
      name: what the legend calls it; '' keeps it out.
      colour: any of matplotlib's.
      thin: whether it stays in the background.
    """

    steps: Sequence[float]
    values: Sequence[float]
    name: str = ''
    colour: str = canvas.ACCENT
    thin: bool = False


def learning_curves(
    panels: Mapping[str, Mapping[str, Curve]], targets: Mapping[str, float] | None = None
) -> np.ndarray:
    """Draws one panel for each metric, side by side, at most three in a row.

    Args:
      panels: for each panel's title, curves by name: (steps, values).
      targets: bounds to mark in the panels of that title.
    """
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = canvas.new(4.2 * columns, 2.9 * rows)
    for i, (title, curves) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, i + 1)
        lines = [
            Line(steps, values, name, _COLOURS.get(name, canvas.INK))
            for name, (steps, values) in curves.items()
        ]
        _draw(axes, lines, (targets or {}).get(title), unnamed=1)
        axes.set_title(title, color=canvas.INK)
    return canvas.pixels(figure)


def panel(
    lines: Sequence[Line], target: float | None = None, logarithmic: bool = False
) -> np.ndarray:
    """Draws curves of one metric, without a title.

    Args:
      lines: the curves.
      target: a bound to mark.
      logarithmic: whether the values are drawn on a logarithmic axis.
    """
    figure = canvas.new(4.4, 3.0)
    axes = figure.add_subplot()
    _draw(axes, lines, target)
    if logarithmic:
        axes.set_yscale('log')
    return canvas.pixels(figure)


def _draw(axes: 'Axes', lines: Sequence[Line], target: float | None, unnamed: int = 0) -> None:
    """Draws lines and a bound, and a legend where it has more than `unnamed` to name."""
    for line in lines:
        axes.plot(
            line.steps,
            line.values,
            label=line.name or None,
            color=line.colour,
            marker='.' if len(line.steps) < _FEW and not line.thin else None,
            linewidth=0.8 if line.thin else 1.5,
            alpha=0.7 if line.thin else 1.0,
        )
    if target is not None:
        axes.axhline(target, color=canvas.INK, linewidth=0.8, linestyle=':', label='target')
    axes.set_xlabel('step')
    axes.locator_params(axis='x', nbins=5)
    axes.grid(color=canvas.FAINT, linewidth=0.6)
    axes.spines[['top', 'right']].set_visible(False)
    if len(axes.get_legend_handles_labels()[0]) > unnamed:
        axes.legend(frameon=False)
