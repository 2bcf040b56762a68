"""What every data loader is: raw examples in, batches out, a function of (seed, step, position)."""

import abc
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed, example_seed
from garden.sources.base import Example, Source, Spec
from garden.sources.memory import cached

Batch = Mapping[str, tf.Tensor]

# AutoGraph is kept out: it would take longer than all the rest of building a pipeline.
_traced_as_written = tf.autograph.experimental.do_not_convert


class Dataloader(abc.ABC):
    """Turns the examples of a source into batches; a subclass says how one example is parsed.

    Nothing is read before the loader is called: a system can be built where its data are not.

    Args:
      source: where the raw examples come from.
      batch_size: the global batch, over all replicas.
      training: True for endless batches of augmented examples, False for one pass, padded to whole
        batches, with a bool vector 'mask' that is False where an example is padding.
      shuffle: whether each epoch of the training has an order of its own.
      cache: whether the raw examples are read once and kept in memory.
      deterministic: False lets batches take examples in the order in which they get ready.
      parallel_calls: examples that are parsed at the same time; -1 adapts it to the machine.
      prefetch: batches that are made ahead; -1 adapts it to the machine.

    Raises:
      UserError: if batch_size is not positive.
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        training: bool,
        shuffle: bool = True,
        cache: bool = False,
        deterministic: bool = True,
        parallel_calls: int = tf.data.AUTOTUNE,
        prefetch: int = tf.data.AUTOTUNE,
    ):
        if batch_size < 1:
            raise UserError(f'{self} needs a batch_size of 1 or more; {batch_size} is not.')
        self.batch_size = batch_size
        self.training = training
        self._source = source
        self._shuffle = shuffle
        self._cache = cache
        self._deterministic = deterministic
        self._parallel_calls = parallel_calls
        self._prefetch = prefetch

    @property
    @abc.abstractmethod
    def raw_spec(self) -> Spec:
        """The features that the source must have; see `Source.require`."""

    @abc.abstractmethod
    def parse(self, example: Example, seed: tf.Tensor) -> Batch:
        """Makes one element of a batch of one raw example, in graph code without AutoGraph.

        Args:
          example: the features of `raw_spec`.
          seed: int64[2], another one for each position of the run; all randomness comes from it, by
            stateless ops.

        Returns:
          Tensors of fixed shape by name.
        """

    def finish(self, batch: Batch, seed: tf.Tensor) -> Batch:
        """Transforms the batch of one replica, e.g. mixes its examples; inherited, it does nothing.

        Args:
          batch: what `parse` returned, stacked.
          seed: int64[2], another one for each step and replica.
        """
        del seed
        return batch

    @_traced_as_written
    def __call__(self, feed: Feed) -> tf.data.Dataset:
        """Returns batches that are the share of one replica, from `feed.step` on.

        Raises:
          UserError: if the data are missing or not what the loader needs.
        """
        per_replica = feed.per_replica(self.batch_size)
        batches = self._elements(feed).batch(per_replica, drop_remainder=True)
        batches = batches.map(
            # ~seed, for a batch's seed to be that of no example.
            lambda positions, batch: self.finish(batch, example_seed(positions[0], ~feed.seed)),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        steps = tf.data.INFINITE_CARDINALITY
        if not self.training:
            steps = self.steps_per_epoch * (feed.replicas // feed.pipelines)
        batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
        return batches.prefetch(self._prefetch).with_options(self._options)

    @_traced_as_written
    def peek(self, count: int, seed: int = 0, step: int = 0) -> Mapping[str, np.ndarray]:
        """Returns the first `count` examples of a step as one NumPy batch, for a look at the data.

        In evaluation the last of them may be padding.
        """
        elements = self._elements(Feed(seed=seed, step=step)).with_options(self._options)
        _, batch = next(iter(elements.batch(count)))
        return {name: tensor.numpy() for name, tensor in batch.items()}

    @property
    def num_examples(self) -> int:
        """The examples of one epoch."""
        return len(self._examples)

    @property
    def steps_per_epoch(self) -> int:
        """The global batches of one epoch, a partial last one counted."""
        return -(-self.num_examples // self.batch_size)

    @property
    def summary(self) -> str:
        """What is read: how many examples, how many a step, from where."""
        source = str(self._source)
        return (
            f'{self.num_examples:,} examples, {self.batch_size:,} at a time, from '
            f'{source[:1].lower()}{source[1:]}'
        )

    @property
    def class_names(self) -> Sequence[str] | None:
        """The names of the classes, where the source knows them."""
        return self._source.class_names

    def __str__(self) -> str:
        return f'The data loader {type(self).__name__}'

    @functools.cached_property
    def _examples(self) -> Source:
        """The source, in memory if it is cached."""
        self._source.require(self.raw_spec, str(self))
        return cached(self._source) if self._cache else self._source

    def _elements(self, feed: Feed) -> tf.data.Dataset:
        """Yields (position, parsed example) of this pipeline."""
        source = self._examples
        if self.training:
            keys = source.training_keys(feed, self.batch_size, self._shuffle)
        else:
            keys = source.evaluation_keys(feed, self.batch_size)
        size = len(source)

        def element(position: tf.Tensor, key: Any) -> tuple[tf.Tensor, Batch]:
            parsed = dict(self.parse(source.load(key), example_seed(position, feed.seed)))
            if not self.training:
                parsed['mask'] = position < size
            return position, parsed

        return keys.map(element, num_parallel_calls=self._parallel_calls)

    @property
    def _options(self) -> tf.data.Options:
        options = tf.data.Options()
        options.deterministic = self._deterministic
        # The positions are shared out among the hosts already.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return options
