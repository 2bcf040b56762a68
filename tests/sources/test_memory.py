"""Examples in memory."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.sources.memory import Arrays, cached
from garden.sources.records import IndexedRecords, Shard
from garden.sources.stream import RecordStream
from garden.sources.synthetic import Synthetic


def test_examples_are_rows_of_the_arrays():
    source = Arrays({'image': np.arange(24, dtype=np.uint8).reshape(2, 3, 4, 1), 'label': [5, 6]})
    assert len(source) == 2
    assert source.features['image'] == tf.TensorSpec([3, 4, 1], tf.uint8)
    example = source.load(tf.constant(1, tf.int64))
    assert example['label'] == 6
    np.testing.assert_array_equal(example['image'][:, :, 0], np.arange(12, 24).reshape(3, 4))


def test_arrays_of_different_lengths_are_refused():
    with pytest.raises(UserError, match="'image': 3, 'label': 2"):
        Arrays({'image': np.zeros([3, 1]), 'label': np.zeros([2])})


@pytest.mark.parametrize('stream', [False, True])
def test_a_cached_source_no_longer_needs_its_files(write_records, stream):
    path = write_records([20])[0]
    shards = [Shard(path, 0, 20)]
    source = cached(RecordStream(shards) if stream else IndexedRecords(shards))
    with open(path, 'wb'):
        pass
    assert len(source) == 20
    for number in (0, 7, 19):
        assert source.load(tf.constant(number, tf.int64))['record'] == b'record %d' % number


def test_a_cached_source_keeps_features_and_class_names():
    source = Synthetic(size=3)
    source.require({'label': tf.TensorSpec([], tf.int64)}, 'test')
    assert cached(source).features == source.features
    names = ['cat', 'dog']
    assert cached(Arrays({'label': [0, 1]}, names)).class_names == names
