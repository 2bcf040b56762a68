"""TFRecord files: the offset index, damage, parts of files."""

import os

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.sources import records
from garden.sources.records import IndexedRecords, Shard, record_offsets
from garden.sources.stream import RecordStream, with_lengths

AROUND = 16  # Bytes of a record that are not payload.


@pytest.fixture
def shard(write_records):
    return write_records([12])[0]


@pytest.fixture
def no_scan(monkeypatch):
    def scan(path, name, size):
        raise AssertionError(f'{path} was scanned again')

    return lambda: monkeypatch.setattr(records, '_scan', scan)


def everything(source):
    keys = source.evaluation_keys(Feed(), batch_size=1)
    return list(keys.map(lambda _, key: source.load(key)['record']).as_numpy_iterator())


def damage(path, number):
    """Changes a bit in the middle of a record; returns the byte where the record begins."""
    begin = int(record_offsets(path)[number])
    with open(path, 'r+b') as file:
        file.seek(begin + 14)
        byte = file.read(1)[0]
        file.seek(begin + 14)
        file.write(bytes([byte ^ 1]))
    return begin


@pytest.mark.parametrize('batch_size', [1, 6, 7, 17, 40])
def test_records_read_together_are_those_read_one_by_one(write_records, batch_size):
    source = IndexedRecords([Shard(path) for path in write_records([12, 9])])
    for keys in (
        source.training_keys(Feed(), batch_size, shuffle=True).take(3 * batch_size),
        source.evaluation_keys(Feed(), batch_size),
    ):
        singly = keys.map(lambda place, key: (place, key, source.load(key)['record']))
        together = source.fetch(keys, batch_size).map(
            lambda place, key: (place, source.index(key), source.load(key)['record'])
        )
        assert list(together.as_numpy_iterator()) == list(singly.as_numpy_iterator())


def test_records_read_together_are_verified(shard):
    damage(shard, 5)
    source = IndexedRecords([Shard(shard)])
    with pytest.raises(tf.errors.DataLossError):
        list(source.fetch(source.evaluation_keys(Feed(), 4), 4))


def test_offsets_are_where_the_records_begin(shard):
    sizes = [len(b'record %d' % number) + AROUND for number in range(12)]
    assert record_offsets(shard).tolist() == [0, *np.cumsum(sizes)[:-1]]


def test_the_index_is_made_once(shard, no_scan):
    first = record_offsets(shard)
    no_scan()
    assert record_offsets(shard).tolist() == first.tolist()


def test_the_index_lies_beside_the_file_where_no_pattern_finds_it(shard):
    record_offsets(shard)
    folder, name = os.path.split(shard)
    assert f'.{name}.idx' in os.listdir(folder)
    assert tf.io.gfile.glob(os.path.join(folder, 'part*')) == [shard]


def test_the_index_goes_to_the_cache_where_the_folder_is_not_writable(shard, own_cache, no_scan):
    folder, name = os.path.split(shard)
    os.mkdir(os.path.join(folder, f'.{name}.idx'))  # A file cannot take its place.
    first = record_offsets(shard)
    assert list(own_cache.rglob('*.idx'))
    no_scan()
    assert record_offsets(shard).tolist() == first.tolist()


@pytest.mark.parametrize('change', ['size', 'time'])
def test_a_changed_file_is_indexed_anew(shard, change, write_records):
    record_offsets(shard)
    if change == 'size':
        write_records([13])
    else:  # Another division of as many bytes.
        size = os.path.getsize(shard)
        with tf.io.TFRecordWriter(shard) as writer:
            writer.write(b'x' * (size - 2 * AROUND - 1))
            writer.write(b'x')
        assert os.path.getsize(shard) == size
        os.utime(shard, (1, 1))
    assert len(record_offsets(shard)) == (13 if change == 'size' else 2)


def test_a_damaged_index_is_made_anew(shard):
    good = record_offsets(shard)
    folder, name = os.path.split(shard)
    with open(os.path.join(folder, f'.{name}.idx'), 'r+b') as file:
        file.truncate(20)
    assert record_offsets(shard).tolist() == good.tolist()


def test_a_file_cut_off_within_a_record_is_reported(shard):
    with open(shard, 'r+b') as file:
        file.truncate(os.path.getsize(shard) - 3)
    with pytest.raises(UserError, match=r'part-00000-of-00001 is not a whole.*the record at byte'):
        len(IndexedRecords([Shard(shard)]))
    with pytest.raises(UserError, match='part-00000-of-00001 is not a whole TFRecord file'):
        with_lengths([Shard(shard)])


def test_a_damaged_record_is_an_error_with_file_and_byte(shard):
    begin = damage(shard, 7)
    source = IndexedRecords([Shard(shard)])
    assert source.load(tf.constant(6, tf.int64))['record'] == b'record 6'
    with pytest.raises(tf.errors.InvalidArgumentError, match=f'{shard}.*at byte.*{begin}'):
        source.load(tf.constant(7, tf.int64))
    with pytest.raises(tf.errors.InvalidArgumentError, match=f'{shard}.*at byte.*{begin}'):
        everything(source)


def test_a_damaged_record_of_a_stream_is_an_error_with_file_and_number(shard):
    damage(shard, 7)
    with pytest.raises(tf.errors.InvalidArgumentError, match=f'record number.*7.*{shard}'):
        everything(RecordStream([Shard(shard, 0, 12)], lanes=1))


@pytest.mark.parametrize('stream', [False, True])
def test_parts_of_files_are_read_in_order(write_records, stream):
    first, second = write_records([6, 6])
    shards = [Shard(first, 4, 2), Shard(second, 1, 3)]
    source = RecordStream(shards, lanes=1) if stream else IndexedRecords(shards)
    assert len(source) == 5
    assert everything(source) == [b'record %d' % n for n in (4, 5, 7, 8, 9)]


def test_fewer_records_than_promised_are_reported(shard):
    with pytest.raises(UserError, match='holds 12 records where 14 are expected'):
        len(IndexedRecords([Shard(shard, 4, 10)]))
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=f'missing.*record number.*12.*{shard}'
    ):
        everything(RecordStream([Shard(shard, 4, 10)], lanes=1))


def test_a_missing_file_is_reported():
    with pytest.raises(UserError, match='/nowhere/a cannot be read: No such file'):
        len(IndexedRecords([Shard('/nowhere/a')]))


def test_lengths_are_counted_once_until_a_file_changes(write_records, monkeypatch):
    shards = [Shard(path) for path in write_records([3, 0, 5])]
    assert [shard.length for shard in with_lengths(shards)] == [3, 0, 5]
    with monkeypatch.context() as patch:
        patch.setattr('garden.sources.stream._count', lambda path: 1 / 0)
        assert [shard.length for shard in with_lengths(shards)] == [3, 0, 5]
    write_records([3, 1, 5])
    assert [shard.length for shard in with_lengths(shards)] == [3, 1, 5]
