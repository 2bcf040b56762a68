"""Points of a surface with their normals, and points elsewhere."""

import functools

import numpy as np
import tensorflow as tf
from scipy import spatial

from garden.core.feed import Feed, example_seed
from garden.core.registry import register
from garden.dataloaders.base import Batch
from garden.dataloaders.signal import Signal, Table, coordinates
from garden.sources.base import Source, Spec
from garden.sources.memory import cached


@register('dataloaders', 'oriented_points')
class OrientedPoints(Signal):
    """A closed surface, given by points and outward normals, moved and scaled to fill [-1, 1]^3.

    A training batch holds points of it, 'surface' [n, 3] with 'normal' [n, 3], and as many points
    'elsewhere' [n, 3], drawn from the whole cube. The evaluation is over a grid of the cube, whose
    'value' is the distance to the nearest point of the surface, negative inside: on the side that
    its normal turns away from.

    Args:
      source: points: 'point' and 'normal', float32 [3]; the normals' lengths do not matter.
      batch_size: points of the surface in a step, over all replicas; None for all.
      eval_batch_size: see the base class.
      grid_size: points of the grid along each coordinate.
      fill: how much of the cube the surface takes, along its longest side.
    """

    dimensions = 3

    def __init__(
        self,
        source: Source,
        batch_size: int | None = None,
        eval_batch_size: int = 16384,
        grid_size: int = 32,
        fill: float = 1.0,
    ):
        super().__init__(source, batch_size, eval_batch_size)
        self._grid_size = grid_size
        self._fill = fill

    @property
    def raw_spec(self) -> Spec:
        """See the base class."""
        vector = tf.TensorSpec([3], tf.float32)
        return {'point': vector, 'normal': vector}

    @property
    def shape(self) -> tuple[int, ...]:
        """See the base class."""
        return (self._grid_size,) * 3

    @property
    def summary(self) -> str:
        """See the base class."""
        return f'{len(self.surface["surface"]):,} points of {self._source}'

    @functools.cached_property
    def surface(self) -> Table:
        """All points: 'surface' [n, 3] in [-1, 1]^3, 'normal' [n, 3] of length 1."""
        # Arrays are what `cached` returns, whose examples can be taken all at once.
        source = cached(self._opened)
        stored = source.load(tf.range(len(source), dtype=tf.int64))
        points, normals = stored['point'].numpy(), stored['normal'].numpy()
        low, high = points.min(axis=0), points.max(axis=0)
        scale = self._fill * 2 / (high - low).max()
        lengths = np.linalg.norm(normals, axis=1, keepdims=True)
        return {'surface': (points - (low + high) / 2) * scale, 'normal': normals / lengths}

    @functools.cached_property
    def grid(self) -> Table:
        """See the base class."""
        places = coordinates(self.shape)
        distances, nearest = spatial.KDTree(self.surface['surface']).query(places)
        away = places - self.surface['surface'][nearest]
        outside = np.einsum('nd,nd->n', away, self.surface['normal'][nearest]) >= 0
        signed = np.where(outside, distances, -distances)
        return {'coordinates': places, 'value': signed[:, None].astype(np.float32)}

    def training(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""

        def with_others(batch: Batch, position: tf.Tensor) -> Batch:
            shape = batch['surface'].shape
            # ~seed, for the draw to be another than any example's.
            seed = example_seed(position, ~feed.seed)
            elsewhere = tf.random.stateless_uniform(shape, seed, -1.0, 1.0)
            return {**batch, 'elsewhere': elsewhere}

        return self._drawn(self.surface, feed, with_others)
