"""A picture with lines of text under it."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from garden.figures import canvas

_SMALLEST, _LARGEST = 256, 768  # Sides of the picture, in pixels.
_SIZE = 15
_HEIGHT = 22
_MARGIN = 8


def captioned(picture: np.ndarray, lines: Sequence[tuple[str, float | None]]) -> np.ndarray:
    """Draws lines under a picture; small pictures are enlarged unsmoothed, large ones made smaller.

    Args:
      picture: uint8 [h, w, 1 or 3].
      lines: text, and a share from 0 to 1 that is drawn as a bar behind it, or None.

    Returns:
      uint8 [height, width, 3].
    """
    from PIL import Image, ImageDraw

    image = _sized(picture)
    height = image.height + len(lines) * _HEIGHT + _MARGIN * bool(lines)
    drawn = Image.new('RGB', (max(image.width, _SMALLEST), height), 'white')
    drawn.paste(image, ((drawn.width - image.width) // 2, 0))
    pen = ImageDraw.Draw(drawn)
    for i, (text, share) in enumerate(lines):
        top = image.height + _MARGIN // 2 + i * _HEIGHT
        if share is not None:
            right = _MARGIN + round(share * (drawn.width - 2 * _MARGIN))
            pen.rectangle((_MARGIN, top + 1, right, top + _HEIGHT - 2), fill=canvas.FAINT)
        text = _shortened(text, pen, drawn.width - 2 * _MARGIN - 4)
        middle = top + _HEIGHT // 2
        pen.text((_MARGIN + 4, middle), text, fill=canvas.INK, font=_font(), anchor='lm')
    return np.asarray(drawn)


def _sized(picture: np.ndarray) -> Any:
    from PIL import Image

    image = Image.fromarray(np.broadcast_to(picture, (*picture.shape[:2], 3)))
    longer = max(image.size)
    if longer < _SMALLEST:
        factor = -(-_SMALLEST // longer)
        return image.resize((image.width * factor, image.height * factor), Image.Resampling.NEAREST)
    if longer > _LARGEST:
        image.thumbnail((_LARGEST, _LARGEST))
    return image


def _shortened(text: str, pen: Any, width: int) -> str:
    """Returns the text, its middle left out where it is longer than `width` pixels."""
    shown = text
    for kept in range(len(text) - 1, 0, -1):
        if pen.textlength(shown, font=_font()) <= width:
            break
        shown = f'{text[: -(-kept // 2)]}…{text[len(text) - kept // 2 :]}'
    return shown


@functools.cache
def _font() -> Any:
    import matplotlib
    from PIL import ImageFont

    # It knows the letters of most scripts, and comes with a package that we have anyway.
    return ImageFont.truetype(f'{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf', _SIZE)
