"""Many small images in one: samples, filters, strips of what a network makes of its input."""

from collections.abc import Mapping, Sequence

import numpy as np

from garden.figures import canvas

_SIDE = 56  # Pixels that an image is enlarged to, at least.
_GAP = 2


def mosaic(images: np.ndarray | Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Lays images of one size in rows, white between them; small ones are enlarged, unsmoothed.

    Args:
      images: uint8 [n, h, w, 1 or 3].
      columns: images in a row.

    Returns:
      uint8 [height, width, 3].
    """
    images = np.asarray(images)
    count, height, width, channels = images.shape
    if channels == 1:
        images = np.repeat(images, 3, axis=-1)
    factor = -(-_SIDE // height)
    images = images.repeat(factor, axis=1).repeat(factor, axis=2)
    height, width = factor * height, factor * width
    rows = -(-count // columns)
    laid = np.full([rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3], 255, 'u1')
    for i, image in enumerate(images):
        top, left = i // columns * (height + _GAP), i % columns * (width + _GAP)
        laid[top : top + height, left : left + width] = image
    return laid


def strips(rows: Mapping[str, np.ndarray]) -> np.ndarray:
    """Draws rows of images, one above the other, each with its name at the left.

    Args:
      rows: uint8 [n, h, w, 1 or 3] by name; n is the same in all.

    Returns:
      uint8 [height, width, 3].
    """
    laid = [mosaic(images, len(images)) for images in rows.values()]
    height, width = laid[0].shape[:2]
    breadth = 8.0
    figure = canvas.new(breadth, (breadth - 1) * height / width * len(laid) + 0.1)
    for i, (name, row) in enumerate(zip(rows, laid, strict=True)):
        axes = figure.add_subplot(len(laid), 1, i + 1)
        axes.imshow(row, interpolation='nearest')
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        axes.set_ylabel(
            name, rotation=0, ha='right', va='center', fontsize=8, labelpad=6, color=canvas.INK
        )
    return canvas.pixels(figure)
