"""Curves over training steps."""

from collections.abc import Mapping, Sequence

import numpy as np

from garden.figures import canvas

Curve = tuple[Sequence[float], Sequence[float]]


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
    colours = {'train': canvas.ACCENT, 'eval': canvas.SECOND, 'schedule': canvas.ACCENT}
    for i, (title, curves) in enumerate(panels.items()):
        axes = figure.add_subplot(rows, columns, i + 1)
        for name, (steps, values) in curves.items():
            axes.plot(
                steps,
                values,
                label=name,
                color=colours.get(name),
                marker='.' if len(steps) < 30 else None,
            )
        if targets and title in targets:
            axes.axhline(
                targets[title], color=canvas.INK, linewidth=0.8, linestyle=':', label='target'
            )
        axes.set_title(title, color=canvas.INK)
        axes.set_xlabel('step')
        axes.locator_params(axis='x', nbins=5)
        axes.grid(color=canvas.FAINT, linewidth=0.6)
        axes.spines[['top', 'right']].set_visible(False)
        if len(axes.get_legend_handles_labels()[0]) > 1:
            axes.legend(frameon=False)
    return canvas.pixels(figure)
