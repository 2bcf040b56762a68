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
import hashlib
import json
import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from garden.core.bad_examples import text_of
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.sources.base import Example, Source
from garden.sources.records import (
    Shard,
    cache_folder,
    intact,
    record_offsets,
    records_from,
)
from garden.sources.row import Piece, as_tensors, pieces

Key = tuple[tf.Tensor, tf.Tensor]  # Index and record.

_READ_BUFFER = 1 << 20
_READERS = 16


class RecordStream(Source):
    """The records of TFRecord files, read in order. The feature is 'record' (bytes).

    A key is the record itself, with its 'index' in the row of all records.

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

    def load(self, key: Key) -> Example:
        """See the base class."""
        return {'record': key[1]}

    def index(self, key: Key) -> tf.Tensor:
        """See the base class."""
        return key[0]

    def place(self, index: int) -> str:
        """The number of the record in its file, and the file."""
        row = pieces(self._shards, (), replace=False)
        one = next(p for p in row if p.first <= index < p.first + p.length)
        return f'record number {one.number + index - one.first} of {one.path}'

    def blamed(self, error: Exception) -> int | None:
        """See the base class."""
        named = re.search(r'\[index\] \[(\d+)\]', text_of(error))
        return int(named[1]) if named else None

    def training_keys(self, feed: Feed, batch_size: int, shuffle: bool) -> tf.data.Dataset:
        """See the base class."""
        lanes = self._lane_count(feed, batch_size)
        size = self.checked_length()
        row = as_tensors(pieces(self._shards, feed.excluded, replace=True))

        def of_lane(lane: tf.Tensor) -> tf.data.Dataset:
            places = _Places(lane, lanes, batch_size, size)
            first_epoch, read = places.at(feed.step)

            def of_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
                begin, end = places.stretch(epoch)
                done = tf.where(epoch == first_epoch, read, 0)
                if not shuffle:
                    return _records(row, begin + done, end)
                return self._permuted(row, begin, end, done, (feed.seed, epoch, lane))

            return tf.data.Dataset.range(first_epoch, tf.int64.max).flat_map(of_epoch)

        records = self._side_by_side(of_lane, feed, batch_size, lanes)
        if feed.stride > 1:  # The records of others' steps are read, but not decoded.
            share = feed.share(batch_size)
            numbered = records.enumerate()
            own = numbered.filter(lambda number, _: number // share % feed.stride == 0)
            records = own.map(lambda _, record: record)
        return tf.data.Dataset.zip(feed.positions(batch_size), records)

    def evaluation_keys(self, feed: Feed, batch_size: int) -> tf.data.Dataset:
        """See the base class."""
        lanes = self._lane_count(feed, batch_size)
        size = self.checked_length(feed.excluded)
        row = as_tensors(pieces(self._shards, feed.excluded, replace=False))
        positions = feed.evaluation_positions(size, batch_size)
        places_each = -(-size // batch_size) * (batch_size // lanes)

        def of_lane(lane: tf.Tensor) -> tf.data.Dataset:
            begin, end = _Places(lane, lanes, batch_size, size).stretch(tf.constant(0, tf.int64))
            padding = _records(row, tf.constant(0, tf.int64), tf.constant(1, tf.int64)).repeat()
            return _records(row, begin, end).concatenate(padding).take(places_each)

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

    def _permuted(
        self, row: Piece, begin: tf.Tensor, end: tf.Tensor, done: tf.Tensor, key: tuple
    ) -> tf.data.Dataset:
        """Yields a stretch of an epoch in permuted windows, without its first `done` records."""
        seed, epoch, lane = key
        drawn = tf.random.stateless_uniform([len(self._shards)], _fold((seed, epoch)))
        # Stable: the pieces of a shard stay together, in their order.
        order = tf.argsort(tf.gather(drawn, row.shard), stable=True)
        shuffled_row = Piece(*(tf.gather(column, order) for column in row))
        window = self._window
        records = _records(shuffled_row, begin + done // window * window, end)

        def permuted(number: tf.Tensor, parts: tuple[tf.data.Dataset, ...]) -> tf.data.Dataset:
            seed_of_window = _fold((seed, epoch, lane, number))
            return _permuted(tf.data.Dataset.zip(parts), window, seed_of_window)

        windows = records.window(window).enumerate(done // window)
        return windows.flat_map(permuted).skip(done % window)


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
    except tf.errors.DataLossError:  # A record is damaged; maybe the lengths are not.
        return len(record_offsets(path))


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


def _records(row: Piece, begin: tf.Tensor, end: tf.Tensor) -> tf.data.Dataset:
    """Yields the keys of the records `begin` to `end` of a row; other files are not opened."""
    last = tf.cumsum(row.length)
    first = last - row.length
    begins = tf.clip_by_value(begin - first, 0, row.length)
    length = tf.clip_by_value(end - first, 0, row.length) - begins
    stretch = row._replace(
        skip=row.skip + begins,
        length=length,
        number=row.number + begins,
        first=row.first + begins,
    )
    read = tf.where(length > 0)[:, 0]
    columns = Piece(*(tf.gather(column, read) for column in stretch))
    return tf.data.Dataset.from_tensor_slices(columns).flat_map(_read)


def _read(piece: Piece) -> tf.data.Dataset:
    """Yields the keys of a piece; a failure names the record."""
    records = records_from(piece.path, piece.offset, _READ_BUFFER)
    readable = records.skip(piece.skip).take(piece.length).ignore_errors(log_warning=False)

    def failure(_: tf.Tensor) -> tf.Tensor:
        # `reduce` would be shorter, but cannot take this reader's records.
        ones = readable.map(lambda _: tf.ones([], tf.int64)).concatenate(tf.data.Dataset.range(1))
        read = tf.reduce_sum(ones.batch(piece.length + 1).get_single_element())
        where = ('record number', piece.number + read, 'of', piece.path)
        return intact(
            tf.constant(''), 'damaged, empty or missing', 'in', *where, 'index', piece.first + read
        )

    # Reached only if there are less than there should be: naming costs nothing where all is well.
    otherwise = tf.data.Dataset.range(1).map(failure)
    return readable.concatenate(otherwise).take(piece.length).enumerate(piece.first)


def _fold(numbers: tuple) -> tf.Tensor:
    """Returns an int64[2] seed made of several numbers."""
    seed, *rest = (tf.cast(number, tf.int64) for number in numbers)
    folded = tf.stack([seed, tf.zeros([], tf.int64)])
    for number in rest:
        folded = tf.random.experimental.stateless_fold_in(folded, number)
    return folded


def _permuted(records: tf.data.Dataset, count: int, seed: tf.Tensor) -> tf.data.Dataset:
    """Yields up to `count` records in an order that only an int64[2] seed decides.

    `Dataset.shuffle` would mix the seed of the process into it. None of them is copied.
    """
    shuffled = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(records),
        buffer_size=count,
        seed=seed[0],
        seed2=seed[1],
        reshuffle_each_iteration=False,
        output_types=tf.nest.flatten(
            tf.nest.map_structure(lambda spec: spec.dtype, records.element_spec)
        ),
        output_shapes=tf.nest.flatten(
            tf.nest.map_structure(lambda spec: spec.shape, records.element_spec)
        ),
    )
    return tf.data.experimental.from_variant(shuffled, records.element_spec)
