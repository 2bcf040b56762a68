"""Pictures of what a classifier gets right and wrong."""

from collections.abc import Sequence

import numpy as np

from garden.figures import canvas
from garden.figures.grid import image_grid

_MAX_LABELLED = 30


def confusion(counts: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Draws a confusion matrix.

    Args:
      counts: [classes, classes]; rows are labels, columns predictions.
      names: the classes' names; left out where there are too many to read.
    """
    classes = len(counts)
    side = 5.0 if classes <= _MAX_LABELLED else 8.0
    figure = canvas.new(side + 0.6, side)
    axes = figure.add_subplot()
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(share, cmap='Greens', vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label='share of the class', shrink=0.8)
    axes.set(xlabel='predicted', ylabel='label')
    if classes <= _MAX_LABELLED:
        names = [_short(name) for name in names]
        axes.set_xticks(range(classes), names, rotation=90 if max(map(len, names)) > 2 else 0)
        axes.set_yticks(range(classes), names)
        for row, column in np.argwhere(counts):
            shade = 'white' if share[row, column] > 0.6 else canvas.INK
            axes.text(
                column, row, counts[row, column], ha='center', va='center', color=shade, fontsize=8
            )
    return canvas.pixels(figure)


def mistakes(
    worst: Sequence[tuple[float, int, int, np.ndarray]], names: Sequence[str]
) -> np.ndarray:
    """Draws misclassified images with label, prediction and confidence, surest first.

    Args:
      worst: (confidence, label, prediction, uint8 image [h, w, 3]).
      names: the classes' names.
    """
    titles = [
        f'{_short(names[label])}, read as {_short(names[said])} ({sure:.0%})'
        for sure, label, said, _ in worst
    ]
    return image_grid([image for *_, image in worst], titles)


def _short(name: str, length: int = 12) -> str:
    return name if len(name) <= length else f'{name[: length - 1]}…'
