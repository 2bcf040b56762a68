"""One signal, known at the points of a grid: what a field is fitted to and compared with."""

import abc
import functools
import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed, shuffled
from garden.core.registry import gin_name
from garden.dataloaders.base import Batch
from garden.sources.base import Source, Spec
from garden.sources.memory import Arrays

Table = Mapping[str, np.ndarray]


class Signal(abc.ABC):
    """Points of one example of a source: the same ones for training and for evaluation.

    A training batch is all points, or as many as `batch_size` of an order drawn anew for each pass.
    The replicas share it.

    Args:
      source: where the signal comes from.
      batch_size: the points of a step, over all replicas; None for all.
      eval_batch_size: the points that are evaluated at a time, over all replicas.

    Attributes:
      dimensions: coordinates of a point.
      channels: values at a point.

    Raises:
      UserError: if a batch size is not positive.
    """

    dimensions: int
    channels: int = 1

    def __init__(self, source: Source, batch_size: int | None, eval_batch_size: int):
        self._name = gin_name(self)
        for name, size in (('batch_size', batch_size), ('eval_batch_size', eval_batch_size)):
            if size is not None and size < 1:
                raise UserError(f'{self}.{name} is at least 1; {size} is not.')
        self._source = source
        self._batch_size = batch_size
        self._eval_batch_size = eval_batch_size

    @property
    @abc.abstractmethod
    def raw_spec(self) -> Spec:
        """The features that the source must have; see `Source.require`."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, ...]:
        """The points of the grid along each coordinate."""

    @property
    @abc.abstractmethod
    def grid(self) -> Table:
        """The points of the grid, last coordinate fastest: 'coordinates' [n, d], 'value' [n, c].

        There may be more: 'gradient' [n, c, d] and 'laplacian' [n, c], by coordinates, and 'known'
        [n, 1], 1.0 where the value is given.
        """

    @property
    def summary(self) -> str:
        """What is fitted: how many points, of what."""
        return f'{len(self.grid["coordinates"]):,} points of {self._source}'

    def training(self, feed: Feed) -> tf.data.Dataset:
        """Returns batches that are the share of one replica, without end, from `feed.step` on.

        Raises:
          UserError: if the data are missing or cannot be shared out evenly.
        """
        return self._drawn(self.grid, feed)

    def evaluation(self, feed: Feed) -> tf.data.Dataset:
        """Returns one pass over the grid, padded to whole batches; the padding has 'mask' False."""
        points = Arrays(self.grid)
        size, batch = len(points), self._eval_batch_size
        share, per_replica = feed.share(batch), feed.per_replica(batch)

        def of_step(step: tf.Tensor) -> Batch:
            first = step * batch + feed.pipeline * share
            positions = tf.reshape(first + tf.range(share, dtype=tf.int64), [-1, per_replica])
            found = points.load(tf.minimum(positions, size - 1))
            return {**found, 'mask': positions < size}

        steps = -(-size // batch)
        batches = tf.data.Dataset.range(steps).map(of_step).unbatch()
        return batches.apply(
            tf.data.experimental.assert_cardinality(steps * (feed.replicas // feed.pipelines))
        )

    def _drawn(
        self,
        table: Table,
        feed: Feed,
        finish: Callable[[Batch, tf.Tensor], Batch] = lambda batch, position: batch,
    ) -> tf.data.Dataset:
        """Yields training batches of the rows of a table, the share of one replica each.

        Args:
          table: arrays whose first axis is the point.
          feed: the place in the run.
          finish: makes the batch of what was drawn and the position in the run of its first point.
        """
        points = Arrays(table)
        size = len(points)
        batch_size = self._batch_size or size
        per_replica = feed.per_replica(batch_size)

        def of_replica(positions: tf.Tensor) -> Batch:
            positions = tf.ensure_shape(positions, [per_replica])
            # In a batch of all points their order means nothing.
            rows = positions % size if batch_size == size else shuffled(positions, size, feed.seed)
            return finish(points.load(rows), positions[0])

        chunks = feed.position_chunks(batch_size)
        shares = chunks.map(lambda chunk: tf.reshape(chunk, [-1, per_replica])).unbatch()
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return shares.map(of_replica).apply(endless).prefetch(2)

    @functools.cached_property
    def _opened(self) -> Source:
        """The source, known to hold what is needed."""
        self._source.require(self.raw_spec, str(self))
        self._source.checked_length()
        return self._source

    def _example(self, source: Source | None = None) -> Mapping[str, np.ndarray]:
        """Reads the first example of a source."""
        source = source or self._opened
        with tf.init_scope():
            return {name: t.numpy() for name, t in source.load(tf.constant(0, tf.int64)).items()}

    def __str__(self) -> str:
        return self._name


def coordinates(shape: Sequence[int], bound: float = 1.0) -> np.ndarray:
    """Returns the points of a grid over [-bound, bound] in each coordinate, float32 [n, d].

    Both ends are points; the first coordinate is that of the first axis ('ij').
    """
    axes = [np.linspace(-bound, bound, size) for size in shape]
    grid = np.meshgrid(*axes, indexing='ij')
    return np.stack(grid, axis=-1).reshape(math.prod(shape), len(shape)).astype(np.float32)
