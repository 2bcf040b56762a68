"""What every data loader is: raw examples in, batches out, a function of (seed, step, position)."""

import abc
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from garden.core.bad_examples import Flaw, Reader
from garden.core.errors import UserError
from garden.core.feed import Feed, example_seed
from garden.core.registry import gin_name
from garden.dataloaders.diagnosis import blame, unusable
from garden.sources.base import Example, Source, Spec
from garden.sources.memory import cached, stored

Batch = Mapping[str, tf.Tensor]

_BAD_IN_TRAINING = 10

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
      repeats: how often a training batch holds the same example, each time augmented differently
        (repeated augmentation, arXiv:1901.09335); an epoch of as many steps as ever then sees only
        this part of the examples.
      cache: whether the raw examples are read once and kept in memory.
      parallel_calls: examples that are parsed at the same time; -1 adapts it to the machine.
      prefetch: batches that are made ahead; -1 adapts it to the machine.
      bad_examples: how many different examples may be bad before the run stops; None for 10 in
        training and 0 in evaluation. In training, another example stands where a bad one would
        (the one stored before it); an evaluation leaves it out.

    Raises:
      UserError: if batch_size is not positive or bad_examples negative.
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        training: bool,
        shuffle: bool = True,
        cache: bool = False,
        parallel_calls: int = tf.data.AUTOTUNE,
        prefetch: int = tf.data.AUTOTUNE,
        bad_examples: int | None = None,
        repeats: int = 1,
    ):
        for name, value in (('batch_size', batch_size), ('repeats', repeats)):
            if value < 1:
                raise UserError(f'{self} needs a {name} of 1 or more; {value} is not.')
        if bad_examples is None:
            bad_examples = _BAD_IN_TRAINING if training else 0
        if bad_examples < 0:
            raise UserError(f'{self}: bad_examples is at least 0; {bad_examples} is not.')
        self.batch_size = batch_size
        self.training = training
        self._source = source
        self._shuffle = shuffle
        self._cache = cache
        self._parallel_calls = parallel_calls
        self._prefetch = prefetch
        self._bad_examples = bad_examples
        self._bad_examples_setting = f'{gin_name(self)}.bad_examples'
        self._cached: Source | None = None
        self._repeats = repeats

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

    def unpack(self, batch: Batch) -> Batch:
        """Makes of a batch, on the device, what the network sees; inherited, it changes nothing.

        A task calls it in its steps, so that what is cheap to compute and large to move is computed
        there.
        """
        return batch

    @_traced_as_written
    def __call__(self, feed: Feed) -> tf.data.Dataset:
        """Returns batches that are the share of one replica, from `feed.step` on.

        Raises:
          UserError: if the data are missing or not what the loader needs.
        """
        per_replica = feed.per_replica(self.batch_size)
        self._source.require(self.raw_spec, str(self))
        if feed.readers is not None:
            excluded = feed.readers.enter(self._reader(feed))
            feed = dataclasses.replace(feed, excluded=excluded)
        batches = self._elements(feed).batch(per_replica, drop_remainder=True)
        batches = batches.map(
            # ~seed, for a batch's seed to be that of no example.
            lambda positions, batch: self.finish(batch, example_seed(positions[0], ~feed.seed)),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        steps = tf.data.INFINITE_CARDINALITY
        if not self.training:
            size = self.num_examples - len(feed.excluded)
            steps = -(-size // self.batch_size) * (feed.replicas // feed.pipelines)
        batches = batches.apply(tf.data.experimental.assert_cardinality(steps))
        return batches.prefetch(self._prefetch).with_options(self._options)

    @property
    def num_examples(self) -> int:
        """The examples of one epoch."""
        return len(self._source)

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

    def _examples(self, excluded: tuple[int, ...]) -> Source:
        """The source, in memory if it is cached."""
        if not self._cache:
            return self._source
        if self._cached is None:
            self._cached = cached(self._source, excluded)
        return self._cached

    def _keys(self, source: Source, feed: Feed) -> tf.data.Dataset:
        """Yields (position, key) of this pipeline."""
        if self.training:
            return self._training_keys(source, feed)
        return source.evaluation_keys(feed, self.batch_size)

    def _elements(self, feed: Feed) -> tf.data.Dataset:
        """Yields (position, parsed example) of this pipeline."""
        source = self._examples(feed.excluded)
        size = len(source) - len(feed.excluded)

        def element(position: tf.Tensor, key: Any) -> tuple[tf.Tensor, Batch]:
            parsed = self._element(source, feed, position, key)
            if not self.training:
                parsed['mask'] = position < size
            return position, parsed

        keys = source.fetch(self._keys(source, feed), feed.share(self.batch_size))
        return keys.map(element, num_parallel_calls=self._parallel_calls)

    def _element(
        self, source: Source, feed: Feed, position: tf.Tensor, key: Any
    ) -> dict[str, tf.Tensor]:
        return dict(self.parse(source.load(key), example_seed(position, feed.seed)))

    def _reader(self, feed: Feed) -> Reader:
        """Returns what can tell which examples of this pipeline are bad."""
        return Reader(
            name=(
                f'{self._source} ({self.num_examples} examples for '
                f'{"training" if self.training else "evaluation"})'
            ),
            training=self.training,
            seed=feed.seed,
            budget=self._bad_examples,
            setting=self._bad_examples_setting,
            find=functools.partial(self._bad, feed),
        )

    @_traced_as_written
    def _bad(self, feed: Feed, number: int, excluded: tuple[int, ...]) -> list[Flaw]:
        """Returns the bad examples among those of a batch; of all, if they are still to be cached.

        Args:
          feed: the pipeline's place in the run.
          number: of the step, or of the batch in the evaluation.
          excluded: what the pipeline leaves out.
        """

        def examine(excluded: tuple[int, ...]) -> dict[int, str]:
            there = dataclasses.replace(feed, step=number, excluded=excluded)
            if self._cache and self._cached is None:
                keys = stored(self._source, excluded)
                return unusable(keys, self._source, lambda _, key: dict(self._source.load(key)))
            source, share = self._examples(excluded), feed.share(self.batch_size)
            keys = self._keys(source, there)
            keys = keys if self.training else keys.skip(number * share)
            parse = functools.partial(self._element, source, there)
            return unusable(keys.take(share), source, parse)

        found = blame(self._source, excluded, examine)
        return [Flaw(index, self._source.place(index), what) for index, what in found.items()]

    def _training_keys(self, source: Source, feed: Feed) -> tf.data.Dataset:
        """Yields (position, key) in training; copies of an example lie far apart in the batch."""
        if self._repeats == 1:
            return source.training_keys(feed, self.batch_size, self._shuffle)
        share = feed.share(self.batch_size)
        distinct = -(-share // self._repeats)
        # A place in the run that reads one batch of `distinct` examples on each host.
        reduced = dataclasses.replace(feed, replicas=feed.pipelines)
        keys = source.training_keys(reduced, distinct * feed.pipelines, self._shuffle)

        def copies(positions: tf.Tensor, keys: Any) -> tuple[tf.Tensor, Any]:
            # Of every copy, a position of its own; where repeats do not divide, the last are cut.
            numbers = range(self._repeats)
            own = [positions * self._repeats + number for number in numbers]
            every = tf.nest.map_structure(lambda key: tf.concat([key for _ in numbers], 0), keys)
            return tf.nest.map_structure(lambda t: t[:share], (tf.concat(own, 0), every))

        return keys.batch(distinct).map(copies).unbatch()

    @property
    def _options(self) -> tf.data.Options:
        options = tf.data.Options()
        options.deterministic = True
        # The positions are shared out among the hosts already.
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return options
