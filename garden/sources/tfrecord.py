"""TFRecord files of tf.train.Example, by default in the Model Garden's format."""

import abc
import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from garden.core.errors import UserError, did_you_mean
from garden.core.feed import Feed
from garden.core.registry import register
from garden.sources.base import Example, Source, missing
from garden.sources.records import IndexedRecords, Shard
from garden.sources.stream import RecordStream, with_lengths

CLASSIFICATION = {
    'image': ('image/encoded', 'string', ()),
    'label': ('image/class/label', 'int64', ()),
}
_TYPES = {'string': tf.string, 'int64': tf.int64, 'float32': tf.float32}


class RecordSource(Source):
    """A source whose examples are records of TFRecord files."""

    @property
    @abc.abstractmethod
    def records(self) -> Source:
        """The records: a source with the one feature 'record'."""

    @abc.abstractmethod
    def parse(self, record: tf.Tensor) -> Example:
        """Returns the example that a record (bytes) holds."""

    def __len__(self) -> int:
        return len(self.records)

    def load(self, key: Any) -> Example:
        """See the base class."""
        return self.parse(self.records.load(key)['record'])

    def fetch(self, keys: tf.data.Dataset, share: int) -> tf.data.Dataset:
        """See the base class."""
        return self.records.fetch(keys, share)

    def index(self, key: Any) -> tf.Tensor:
        """See the base class."""
        return self.records.index(key)

    def place(self, index: int) -> str:
        """The file, and where in it the record is."""
        return self.records.place(index)

    def blamed(self, error: Exception) -> int | None:
        """See the base class."""
        return self.records.blamed(error)

    def training_keys(self, feed: Feed, batch_size: int, shuffle: bool) -> tf.data.Dataset:
        """See the base class."""
        self.checked_length()
        return self.records.training_keys(feed, batch_size, shuffle)

    def evaluation_keys(self, feed: Feed, batch_size: int) -> tf.data.Dataset:
        """See the base class."""
        self.checked_length()
        return self.records.evaluation_keys(feed, batch_size)


def open_records(
    shards: Sequence[Shard], random_access: bool | None, window: int, lanes: int
) -> Source:
    """Returns the records of some files: with random access, or as a stream.

    Args:
      shards: the files.
      random_access: None for random access to local files and a stream of remote ones.
      window: see RecordStream.
      lanes: see RecordStream.
    """
    if random_access is None:
        random_access = all('://' not in shard.path for shard in shards)
    if random_access:
        return IndexedRecords(shards)
    return RecordStream(with_lengths(shards), window, lanes)


@register('sources', 'tfrecord')
class TFRecord(RecordSource):
    """TFRecord files that match a pattern.

    Local files are read in any order, by an index that is made at first use and stored beside them;
    remote ones are read from front to back (see `stream`).

    Args:
      pattern: the files, as 'train*'; they are taken in alphabetical order.
      data_dir: the folder that the pattern starts from, local or remote.
      features: for each feature wanted the key in the file, the type (string, int64 or float32) and
        the shape; a shape that starts with None stands for a list of any length.
      label_offset: the number of the first class in the files; it is subtracted from 'label'. The
        Model Garden counts ImageNet's classes from 1.
      offline_sibling: the experiment to name to a user who has no such files.
      random_access: False to stream local files too (spinning disks); None decides by the path.
      window: records that a lane of a stream permutes.
      lanes: lanes of a stream, over all hosts.

    Raises:
      UserError: if a feature has a type that such a file cannot hold.
    """

    def __init__(
        self,
        pattern: str,
        data_dir: str = '',
        features: Mapping[str, tuple[str, str, Sequence[int | None]]] = CLASSIFICATION,
        label_offset: int = 0,
        offline_sibling: str | None = None,
        random_access: bool | None = None,
        window: int = 1024,
        lanes: int = 16,
    ):
        for name, (_, dtype, _) in features.items():
            if dtype not in _TYPES:
                raise UserError(
                    f'sources.tfrecord: the feature {name!r} cannot have the type {dtype!r}; '
                    f'TFRecords hold {", ".join(_TYPES)}.{did_you_mean(dtype, _TYPES)}'
                )
        self._pattern = os.path.join(os.path.expanduser(data_dir), os.path.expanduser(pattern))
        self._features = features
        self._label_offset = label_offset
        self._offline_sibling = offline_sibling
        self._access = (random_access, window, lanes)

    @property
    def features(self) -> Mapping[str, tf.TensorSpec]:
        """See the base class."""
        return {
            name: tf.TensorSpec(shape, _TYPES[dtype])
            for name, (_, dtype, shape) in self._features.items()
        }

    @functools.cached_property
    def records(self) -> Source:
        """See the base class."""
        paths = sorted(tf.io.gfile.glob(self._pattern))
        if not paths:
            raise missing(self, self._pattern, 'Check data_dir and pattern.', self._offline_sibling)
        return open_records([Shard(path) for path in paths], *self._access)

    def parse(self, record: tf.Tensor) -> Example:
        """See the base class."""
        stored = tf.io.parse_single_example(record, self._stored)
        example = {name: stored[key] for name, (key, _, _) in self._features.items()}
        if self._label_offset:
            example['label'] -= self._label_offset
        return example

    def __str__(self) -> str:
        return f'The TFRecord data {self._pattern}'

    @property
    def _stored(self) -> Mapping[str, tf.io.FixedLenFeature | tf.io.FixedLenSequenceFeature]:
        """How the features wanted are stored, by their keys in the file."""
        stored = {}
        for key, dtype, shape in self._features.values():
            if len(shape) and shape[0] is None:
                stored[key] = tf.io.FixedLenSequenceFeature(
                    shape[1:], _TYPES[dtype], allow_missing=True
                )
            else:
                stored[key] = tf.io.FixedLenFeature(shape, _TYPES[dtype])
        return stored
