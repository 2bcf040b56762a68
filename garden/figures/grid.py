"""Images side by side."""

import math
from collections.abc import Sequence

import numpy as np

from garden.figures import canvas


def image_grid(
    images: Sequence[np.ndarray], titles: Sequence[str] = (), columns: int | None = None
) -> np.ndarray:
    """Draws images in rows, each with its title.

    Args:
      images: uint8 [h, w, 3] or [h, w], sizes may differ.
      titles: one for each image, or none.
      columns: images in a row; nearly square if None.
    """
    columns = columns or max(1, math.ceil(math.sqrt(len(images))))
    rows = max(1, math.ceil(len(images) / columns))
    height = 1.6 if titles else 1.4
    figure = canvas.new(1.4 * columns + 0.2, height * rows + 0.2)
    for i, image in enumerate(images):
        axes = figure.add_subplot(rows, columns, i + 1)
        axes.imshow(image, cmap='gray' if image.ndim == 2 else None, interpolation='nearest')
        axes.set_axis_off()
        if titles:
            axes.set_title(titles[i], fontsize=6, color=canvas.INK)
    return canvas.pixels(figure)
