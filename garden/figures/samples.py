"""What there is to see of a generator of images."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from garden.figures.mosaic import mosaic

_COLUMNS = 8
_STEPS = 10

# Images in a network's range of values -> as they look, uint8.
Looks = Callable[[np.ndarray], np.ndarray]


class Sampler(Protocol):
    """Makes images; see `ops.sampling`."""

    def grid(self, columns: int) -> Any:
        """Returns rows of `columns` samples; with classes, a row is a class and a column a code."""

    def ways(self, count: int, length: int) -> Any:
        """Returns `count` rows of `length` images, each from one sample to the next."""


class Real(Protocol):
    """Has real images; see `evaluators.sample_quality`."""

    def real(self, count: int) -> np.ndarray:
        """Returns real images, uint8 [count, h, w, c]."""


def draw(sampler: Sampler, looks: Looks, real: Real | None = None) -> dict[str, np.ndarray]:
    """Draws samples, ways from one to the next, and real images beside them."""
    drawn = {
        'samples': mosaic(looks(np.asarray(sampler.grid(_COLUMNS))), _COLUMNS),
        'interpolation': mosaic(looks(np.asarray(sampler.ways(_COLUMNS, _STEPS))), _STEPS),
    }
    if real is not None:
        drawn['real'] = mosaic(real.real(_COLUMNS**2), _COLUMNS)
    return drawn


def draw_batch(images: Any, looks: Looks) -> dict[str, np.ndarray]:
    """Draws the first images of a batch."""
    return {'batch': mosaic(looks(np.asarray(images[: _COLUMNS**2])), _COLUMNS)}
