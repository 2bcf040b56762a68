"""Matplotlib without a screen, without global state, imported when the first picture is drawn."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = '#22303c'
ACCENT = '#2a7f62'
SECOND = '#c4572e'
FAINT = '#d9dee2'
# Told apart by those who are colour-blind, too (Okabe and Ito), the yellow left out.
MANY = ('#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000')


def new(width: float, height: float) -> 'Figure':
    """Returns an empty figure of this size in inches, at 120 dots per inch."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout='constrained', facecolor='white')


def pixels(figure: 'Figure') -> np.ndarray:
    """Returns the drawn figure, uint8 [height, width, 3]."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    drawn = FigureCanvasAgg(figure)
    drawn.draw()
    return np.asarray(drawn.buffer_rgba())[..., :3].copy()
