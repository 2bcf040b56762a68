"""Records in TFRecord files that are read from front to back: remote files, and spinning disks.

The order is a function of (seed, epoch), and reading can begin at any step of it. Of each global
batch, lane l of L fills the l-th contiguous L-th, and of each epoch's row of shards - all shards,
in an order drawn from (seed, epoch) - every lane reads one contiguous stretch, just as long as its
places in the epoch are many. So an epoch is an exact permutation, no record is read twice, and the
order does not depend on how many hosts share out the lanes. Within its stretch a lane permutes
windows of records, by (seed, epoch, lane, window).
"""

import concurrent.futures
import contextlib
import dataclasses
import functools
import hashlib
import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.sources.base import Example, Source
from garden.sources.records import Shard, cache_folder, intact, or_nothing

_READ_BUFFER = 1 << 20
_READERS = 16


class RecordStream(Source):
    """The records of TFRecord files, read in order. The feature and the key is 'record' (bytes).

    Args:
      shards: the files; each length must be known.
      window: records that a lane holds and permutes; with L lanes a place in the order is drawn
        from about L * window records.
      lanes: stretches read side by side over all hosts, at most; the lanes that are used are the
        greatest common divisor of this and the global batch.
    """

    features: Mapping[str, tf.TensorSpec] = {'record': tf.TensorSpec([], tf.string)}

    def __init__(self, shards: Sequence[Shard], window: int = 1024, lanes: int = 16):
        self._shards = shards
        self._window = window
        self._lanes = lanes

    def __len__(self) -> int:
        return sum(shard.length or 0 for shard in self._shards)

    def load(self, key: tf.Tensor) -> Example:
        """See the base class; the key is the record."""
        return {'record': key}

    def training_keys(self, feed: Feed, batch_size: int, shuffle: bool) -> tf.data.Dataset:
        """See the base class; the key is the record."""
        lanes = self._lane_count(feed, batch_size)
        size = self.checked_length()

        def of_lane(lane: tf.Tensor) -> tf.data.Dataset:
            places = _Places(lane, lanes, batch_size, size)
            first_epoch, read = places.at(feed.step)

            def of_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
                begin, end = places.stretch(epoch)
                done = tf.where(epoch == first_epoch, read, 0)
                if not shuffle:
                    return self._records(begin + done, end)
                return self._permuted(begin, end, done, (feed.seed, epoch, lane))

            return tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(of_epoch)

        records = self._side_by_side(of_lane, feed, batch_size, lanes)
        if feed.stride > 1:  # The records of others' steps are read, but not decoded.
            share = feed.share(batch_size)
            numbered = records.enumerate()
            own = numbered.filter(lambda number, _: number // share % feed.stride == 0)
            records = own.map(lambda _, record: record)
        return tf.data.Dataset.zip(feed.positions(batch_size), records)

    def evaluation_keys(self, feed: Feed, batch_size: int) -> tf.data.Dataset:
        """See the base class; the key is the record."""
        lanes = self._lane_count(feed, batch_size)
        size = self.checked_length()
        positions = feed.evaluation_positions(size, batch_size)
        places_each = -(-size // batch_size) * (batch_size // lanes)

        def of_lane(lane: tf.Tensor) -> tf.data.Dataset:
            begin, end = _Places(lane, lanes, batch_size, size).stretch(tf.constant(0, tf.int64))
            padding = self._records(tf.constant(0, tf.int64), tf.constant(1, tf.int64)).repeat()
            return self._records(begin, end).concatenate(padding).take(places_each)

        records = self._side_by_side(of_lane, feed, batch_size, lanes)
        return tf.data.Dataset.zip(positions, records)

    def __str__(self) -> str:
        return f'The TFRecords {self._shards[0].path}, ...'

    def _lane_count(self, feed: Feed, batch_size: int) -> int:
        lanes = math.gcd(self._lanes, batch_size)
        if lanes % feed.pipelines:
            raise UserError(
                f'{lanes} lanes cannot be shared by {feed.pipelines} hosts: make both the lanes of '
                f'the source and the batch_size of the loader multiples of {feed.pipelines}.'
            )
        return lanes

    def _side_by_side(
        self,
        of_lane: Callable[[tf.Tensor], tf.data.Dataset],
        feed: Feed,
        batch_size: int,
        lanes: int,
    ) -> tf.data.Dataset:
        """Reads this host's lanes at the same time, a lane's share of a batch from each in turn."""
        here = lanes // feed.pipelines
        first = feed.pipeline * here
        return tf.data.Dataset.range(first, first + here).interleave(
            lambda lane: of_lane(lane).prefetch(batch_size // lanes),
            cycle_length=here,
            block_length=batch_size // lanes,
            num_parallel_calls=here,
            deterministic=True,
        )

    @functools.cached_property
    def _table(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The path, the skipped and the counted records of each shard."""
        with tf.init_scope(), tf.device('CPU'):
            return (
                tf.constant([shard.path for shard in self._shards]),
                tf.constant([shard.skip for shard in self._shards], tf.int64),
                tf.constant([shard.length for shard in self._shards], tf.int64),
            )

    def _records(
        self, begin: tf.Tensor, end: tf.Tensor, order: tf.Tensor | None = None
    ) -> tf.data.Dataset:
        """Yields the records `begin` to `end` of the row of shards; others are not opened."""
        paths, skips, lengths = self._table
        if order is not None:
            paths, skips, lengths = (tf.gather(t, order) for t in (paths, skips, lengths))
        last = tf.cumsum(lengths)
        first = last - lengths
        skip = tf.clip_by_value(begin - first, 0, lengths)
        take = tf.clip_by_value(end - first, 0, lengths) - skip
        parts = tf.where(take > 0)[:, 0]
        table = tuple(tf.gather(t, parts) for t in (paths, skips + skip, take))
        return tf.data.Dataset.from_tensor_slices(table).flat_map(_part)

    def _permuted(
        self, begin: tf.Tensor, end: tf.Tensor, done: tf.Tensor, key: tuple
    ) -> tf.data.Dataset:
        """Yields a stretch of an epoch in permuted windows, without its first `done` records."""
        seed, epoch, lane = key
        shards = tf.range(len(self._shards), dtype=tf.int64)
        order = _permutation(shards, _fold((seed, epoch)))
        window = self._window
        windows = self._records(begin + done // window * window, end, order).batch(window)

        def permute(number: tf.Tensor, records: tf.Tensor) -> tf.Tensor:
            places = tf.range(tf.size(records, tf.int64))
            return tf.gather(records, _permutation(places, _fold((seed, epoch, lane, number))))

        permuted = windows.enumerate(done // window).map(permute).unbatch()
        return permuted.skip(done % window)


def with_lengths(shards: Sequence[Shard]) -> Sequence[Shard]:
    """Returns the shards with their numbers of records, counted once and then remembered.

    Raises:
      UserError: if a file cannot be read to its end.
    """
    if all(shard.length is not None for shard in shards):
        return shards
    status = [tf.io.gfile.stat(shard.path) for shard in shards]
    key = [[s.path, t.length, t.mtime_nsec] for s, t in zip(shards, status, strict=True)]
    digest = hashlib.sha256(json.dumps(key).encode()).hexdigest()
    memory = cache_folder() / 'lengths' / f'{digest}.json'
    try:
        lengths = json.loads(memory.read_text())
    except (OSError, ValueError):
        logging.getLogger(__name__).info('Counting the records of %d files, once.', len(shards))
        with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
            lengths = list(pool.map(_count, [shard.path for shard in shards]))
        with contextlib.suppress(OSError):
            memory.parent.mkdir(parents=True, exist_ok=True)
            memory.write_text(json.dumps(lengths))
    return [dataclasses.replace(s, length=n - s.skip) for s, n in zip(shards, lengths, strict=True)]


def _count(path: str) -> int:
    try:
        records = tf.data.TFRecordDataset(path, buffer_size=_READ_BUFFER)
        return int(records.reduce(tf.constant(0, tf.int64), lambda number, _: number + 1))
    except tf.errors.DataLossError as error:
        raise UserError(
            f'{path} is not a whole TFRecord file ({error.message.split(" [")[0]}): copy or '
            'prepare it anew.'
        ) from error


class _Places:
    """The places of one lane: of each global batch, its contiguous part."""

    def __init__(self, lane: tf.Tensor, lanes: int, batch_size: int, size: int):
        self._part = batch_size // lanes
        self._lane = lane
        self._batch_size = batch_size
        self._size = size

    def before(self, position: tf.Tensor, lane: tf.Tensor) -> tf.Tensor:
        """Returns how many places of a lane lie before a position of the run."""
        rest = position % self._batch_size - lane * self._part
        whole = position // self._batch_size * self._part
        return whole + tf.clip_by_value(rest, 0, self._part)

    def at(self, step: int) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the epoch of the lane's first place in a step, and its earlier places in it."""
        position = step * self._batch_size + self._lane * self._part
        epoch = position // self._size
        read = self.before(position, self._lane) - self.before(epoch * self._size, self._lane)
        return epoch, read

    def stretch(self, epoch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the stretch [begin, end) of an epoch's row of records that the lane reads."""
        first = epoch * self._size
        lanes = tf.range(self._lane + 1)
        counts = self.before(first + self._size, lanes) - self.before(first, lanes)
        end = tf.reduce_sum(counts)
        return end - counts[-1], end


def _part(path: tf.Tensor, skip: tf.Tensor, take: tf.Tensor) -> tf.data.Dataset:
    """Reads `take` records of a file after skipping some; a failure names the record."""
    stored = tf.data.TFRecordDataset(path, buffer_size=_READ_BUFFER).skip(skip).take(take)

    def checked(number: tf.Tensor, record: tf.Tensor) -> tf.Tensor:
        return intact(record, 'Damaged, empty or missing: record number', number, 'of', path)

    return or_nothing(stored, take).enumerate(skip).map(checked)


def _fold(numbers: tuple) -> tf.Tensor:
    """Returns an int64[2] seed made of several numbers."""
    seed, *rest = (tf.cast(number, tf.int64) for number in numbers)
    folded = tf.stack([seed, tf.zeros([], tf.int64)])
    for number in rest:
        folded = tf.random.experimental.stateless_fold_in(folded, number)
    return folded


def _permutation(places: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    return tf.argsort(tf.random.stateless_uniform(tf.shape(places), seed), stable=True)
