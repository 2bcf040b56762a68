"""Records in TFRecord files, in any order: an index of where each begins, and positional reads.

A TFRecord file is a row of records, each an 8-byte length, the length's 4-byte checksum, the
payload and the payload's checksum. One pass over the lengths gives the index; it is stored beside
the file, or in the user's cache where that folder is not writable, and holds as long as the file's
size and time of change do.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import os
import struct
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from garden.core.errors import UserError
from garden.sources.base import Example, Source

_LENGTH = struct.Struct('<Q')
_AROUND = 16  # Bytes of a record that are not payload: length and two checksums.
_READERS = 16
_TOGETHER = 16  # Records that are read at once.


@dataclasses.dataclass(frozen=True)
class Shard:
    """A TFRecord file, or a run of records in it.

    Attributes:
      path: the file.
      skip: the records at its beginning that do not count.
      length: the records that count, or None for all that follow.
    """

    path: str
    skip: int = 0
    length: int | None = None


class IndexedRecords(Source):
    """The records of local TFRecord files, with random access. The feature is 'record' (bytes)."""

    features: Mapping[str, tf.TensorSpec] = {'record': tf.TensorSpec([], tf.string)}

    def __init__(self, shards: Sequence[Shard]):
        self._shards = shards

    def __len__(self) -> int:
        return len(self._index[2])

    def load(self, key: tf.Tensor | tuple[tf.Tensor, tf.Tensor]) -> Example:
        """See the base class; a record that is damaged is an error that names file and offset."""
        if isinstance(key, tuple):
            return {'record': key[1]}
        return {'record': read_record(*self._where(key))}

    def fetch(self, keys: tf.data.Dataset, share: int) -> tf.data.Dataset:
        """See the base class; a key becomes (index, record)."""
        count = max(n for n in range(1, _TOGETHER + 1) if share % n == 0)

        def read(positions: tf.Tensor, indices: tf.Tensor) -> tuple[tf.Tensor, Any]:
            places = zip(*map(tf.unstack, self._where(indices)), strict=True)
            singles = [records_from(path, offset).take(1) for path, offset in places]
            # A record is a small part of the work; a thread and an iterator for each would not be.
            row = functools.reduce(tf.data.Dataset.concatenate, singles)
            return positions, (indices, row.batch(count).get_single_element())

        chunks = keys.batch(count, drop_remainder=True)
        return chunks.map(read, num_parallel_calls=tf.data.AUTOTUNE).unbatch()

    def index(self, key: tf.Tensor | tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        """See the base class."""
        return key[0] if isinstance(key, tuple) else key

    def _where(self, index: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the paths and the first bytes of records."""
        paths, shards, offsets = self._index
        return tf.gather(paths, tf.gather(shards, index)), tf.gather(offsets, index)

    def place(self, index: int) -> str:
        """The file and the byte at which the record begins."""
        paths, shards, offsets = self._index
        path = paths[int(shards[index])].numpy().decode()
        return f'{path}, record at byte {int(offsets[index])}'

    def __str__(self) -> str:
        return f'The TFRecords {self._shards[0].path}, ...'

    @functools.cached_property
    def _index(self) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The path of each shard; of each record its shard's number and its first byte."""
        with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
            offsets = list(pool.map(shard_offsets, self._shards))
        shards = np.repeat(np.arange(len(offsets)), [len(one) for one in offsets])
        with tf.init_scope(), tf.device('CPU'):
            return (
                tf.constant([shard.path for shard in self._shards]),
                tf.constant(shards, tf.int32),
                tf.constant(np.concatenate(offsets), tf.int64),
            )


def read_record(path: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Returns the record that begins at a byte of a TFRecord file, its checksums verified.

    Raises:
      tf.errors.InvalidArgumentError: if the record is damaged; the message names file and offset.
    """
    readable = records_from(path, offset).take(1).ignore_errors(log_warning=False)
    # TensorFlow's own error names no file.
    record = readable.concatenate(tf.data.Dataset.from_tensors('')).take(1).get_single_element()
    return intact(record, 'damaged or empty', 'in', path, 'at byte', offset)


def records_from(path: tf.Tensor, offset: tf.Tensor, read_buffer: int = 0) -> tf.data.Dataset:
    """Returns the records of a TFRecord file from the one on that begins at a byte."""
    rest_of_file = tf.raw_ops.TFRecordDatasetV2(
        filenames=path[None],
        compression_type='',
        buffer_size=read_buffer,
        byte_offsets=offset[None],
    )
    return tf.data.experimental.from_variant(rest_of_file, tf.TensorSpec([], tf.string))


def intact(record: tf.Tensor, *complaint: str | tf.Tensor) -> tf.Tensor:
    """Returns the record; an empty one is an error with this message: what, 'in', and where."""
    # The raw op: those of tf.debugging add a conditional, which each record would pay for.
    check = tf.raw_ops.Assert(condition=tf.not_equal(record, ''), data=complaint)
    with tf.control_dependencies([check]):
        return tf.identity(record)


def record_offsets(path: str) -> np.ndarray:
    """Returns the byte at which each record of a TFRecord file begins, int64[records].

    Raises:
      UserError: if the file ends within a record, which is where its copy or its writer stopped, or
        where a length is damaged.
    """
    if '://' in path:
        return _remote_offsets(path)
    status = os.stat(path)
    key = np.array([status.st_size, status.st_mtime_ns], np.int64)
    places = (_beside(path), _in_cache(path))
    for place in places:
        try:
            stored = np.load(place)
        except (OSError, ValueError, EOFError):  # There is none, or it was cut off.
            continue
        if stored[:2].tolist() == key.tolist():
            return stored[2:]
    offsets = _scan(path, path, status.st_size)
    for place in places:
        if _stored(place, np.concatenate([key, offsets])):
            break
    return offsets


def cache_folder() -> Path:
    """Returns the folder for what can be made again: $XDG_CACHE_HOME/garden or ~/.cache/garden."""
    home = os.environ.get('XDG_CACHE_HOME') or os.path.join(os.path.expanduser('~'), '.cache')
    return Path(home, 'garden')


@functools.lru_cache
def _remote_offsets(path: str) -> np.ndarray:
    """Finds the records in a copy, for reading their lengths alone would be a request for each."""
    with tempfile.TemporaryDirectory(prefix='garden-') as folder:
        copy = os.path.join(folder, 'records')
        tf.io.gfile.copy(path, copy)
        return _scan(copy, path, os.path.getsize(copy))


def shard_offsets(shard: Shard) -> np.ndarray:
    """Returns the offsets of the records of a shard that count.

    Raises:
      UserError: if the file cannot be read, or holds fewer records.
    """
    try:
        offsets = record_offsets(shard.path)
    except OSError as error:
        raise UserError(f'{shard.path} cannot be read: {error.strerror}.') from error
    end = len(offsets) if shard.length is None else shard.skip + shard.length
    if end > len(offsets):
        raise UserError(
            f'{shard.path} holds {len(offsets)} records where {end} are expected: copy or prepare '
            'it anew.'
        )
    return offsets[shard.skip : end]


def _scan(path: str, name: str, size: int) -> np.ndarray:
    """Walks over the lengths of the records of a file that goes by `name`."""
    offsets = []
    descriptor = os.open(path, os.O_RDONLY)
    try:
        position = 0
        while position < size:
            header = os.pread(descriptor, _LENGTH.size, position)
            length = _LENGTH.unpack(header)[0] if len(header) == _LENGTH.size else size
            offsets.append(position)
            position += length + _AROUND
    finally:
        os.close(descriptor)
    if position != size:
        raise UserError(
            f'{name} is not a whole TFRecord file: the record at byte {offsets[-1]} runs past its '
            f'end at {size}. Copy or prepare it anew.'
        )
    return np.array(offsets, np.int64)


def _beside(path: str) -> Path:
    folder, name = os.path.split(path)
    return Path(folder, f'.{name}.idx')  # Hidden: a pattern like train* must not match it.


def _in_cache(path: str) -> Path:
    digest = hashlib.sha256(os.path.abspath(path).encode()).hexdigest()
    return cache_folder() / 'index' / f'{digest}.idx'


def _stored(place: Path, array: np.ndarray) -> bool:
    """Writes an array in one go, so that no reader sees half of it; False if it cannot be."""
    unfinished = place.with_name(f'{place.name}.{os.getpid()}')
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(unfinished, 'wb') as file:
            np.save(file, array)
        os.replace(unfinished, place)
    except OSError:
        return False
    return True
