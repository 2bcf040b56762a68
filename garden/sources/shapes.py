"""Surfaces whose points and normals are known in closed form."""

from collections.abc import Mapping

import numpy as np

from garden.core.errors import UserError
from garden.core.registry import register
from garden.sources.signals import Lazy


@register('sources', 'torus')
class Torus(Lazy):
    """Points of a torus around the z axis, evenly over its area, with their normals.

    The features are 'point' and 'normal', float32 [3].

    Args:
      points: how many.
      radius: from the centre to the middle of the tube.
      tube: the radius of the tube; 0 < tube < radius.
      seed: of the points.

    Raises:
      UserError: if the radii are not those of a torus.
    """

    def __init__(self, points: int = 20000, radius: float = 0.7, tube: float = 0.3, seed: int = 0):
        if not 0 < tube < radius:
            raise UserError(f'sources.torus: 0 < tube ({tube}) < radius ({radius}) is not so.')
        self._points = points
        self._radius = radius
        self._tube = tube
        self._seed = seed

    def arrays(self) -> Mapping[str, np.ndarray]:
        """See the base class."""
        random = np.random.default_rng(self._seed)
        around = random.uniform(0, 2 * np.pi, self._points)
        across = self._angles_of_the_tube(random)
        normal = np.stack(
            [np.cos(around) * np.cos(across), np.sin(around) * np.cos(across), np.sin(across)], 1
        )
        middle = np.stack([np.cos(around), np.sin(around), np.zeros_like(around)], 1)
        point = self._radius * middle + self._tube * normal
        return {'point': point.astype(np.float32), 'normal': normal.astype(np.float32)}

    def _angles_of_the_tube(self, random: np.random.Generator) -> np.ndarray:
        """Draws angles as often as there is area, which grows with the distance to the axis."""
        angles = np.linspace(0, 2 * np.pi, 4097)
        area = self._radius * angles + self._tube * np.sin(angles)
        return np.interp(random.uniform(0, area[-1], self._points), area, angles)

    def __str__(self) -> str:
        return f'A torus of radii {self._radius} and {self._tube}'
