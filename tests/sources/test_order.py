"""The order of the examples: the same promises for random access and for streams."""

import collections
import itertools

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.sources.memory import Arrays
from garden.sources.records import IndexedRecords, Shard
from garden.sources.stream import RecordStream, with_lengths

LENGTHS = (5, 1, 9, 0, 7, 3)
SIZE = sum(LENGTHS)


@pytest.fixture(params=['arrays', 'indexed', 'stream'])
def source(request, write_records):
    if request.param == 'arrays':
        return Arrays({'record': np.array([b'record %d' % i for i in range(SIZE)], object)})
    shards = [Shard(path) for path in write_records(LENGTHS)]
    if request.param == 'indexed':
        return IndexedRecords(shards)
    return RecordStream(with_lengths(shards), window=4, lanes=4)


@tf.autograph.experimental.do_not_convert
def numbers(source, keys, count=None):
    """Returns [(position, number of the record), ...]."""
    loaded = keys.map(lambda position, key: (position, source.load(key)['record']))
    found = loaded.as_numpy_iterator()
    return [(int(p), int(r.split()[1])) for p, r in itertools.islice(found, count)]


@tf.autograph.experimental.do_not_convert
def training(source, count, batch_size=8, shuffle=True, **place):
    return numbers(source, source.training_keys(Feed(**place), batch_size, shuffle), count)


def test_positions_count_up(source):
    assert [p for p, _ in training(source, 60)] == list(range(60))


@pytest.mark.parametrize('batch_size', [8, 32])
def test_each_epoch_is_a_permutation_of_its_own(source, batch_size):
    read = [n for _, n in training(source, 4 * SIZE, batch_size, seed=3)]
    epochs = [tuple(read[i : i + SIZE]) for i in range(0, 4 * SIZE, SIZE)]
    assert all(sorted(epoch) == list(range(SIZE)) for epoch in epochs)
    assert len(set(epochs)) == 4


@pytest.mark.parametrize(('batch_size', 'shuffle'), [(8, True), (32, True), (8, False)])
def test_a_start_at_step_k_reads_what_an_uninterrupted_run_reads(source, batch_size, shuffle):
    straight = training(source, 12 * batch_size, batch_size, shuffle, seed=1)
    for step in (1, 3, 9):
        resumed = training(source, 2 * batch_size, batch_size, shuffle, seed=1, step=step)
        assert resumed == straight[step * batch_size :][: 2 * batch_size]


@pytest.mark.parametrize(('replicas', 'pipelines'), [(1, 1), (4, 2)])
def test_a_stride_reads_every_so_many_steps_of_what_a_run_reads(source, replicas, pipelines):
    place = {'seed': 1, 'replicas': replicas, 'pipelines': pipelines, 'pipeline': pipelines - 1}
    share = 8 // pipelines
    straight = training(source, 12 * share, step=2, **place)
    for turn in range(3):
        strided = training(source, 4 * share, step=2 + turn, stride=3, **place)
        steps = [straight[n * share : (n + 1) * share] for n in range(turn, 12, 3)]
        assert strided == list(itertools.chain(*steps))


def test_the_seed_decides_the_order(source):
    assert training(source, SIZE, seed=1) == training(source, SIZE, seed=1)
    assert training(source, SIZE, seed=1) != training(source, SIZE, seed=2)


def test_without_shuffling_every_epoch_has_all_examples(source):
    read = [n for _, n in training(source, 2 * SIZE, shuffle=False)]
    assert sorted(read[:SIZE]) == sorted(read[SIZE:]) == list(range(SIZE))


@pytest.mark.parametrize(('replicas', 'pipelines'), [(2, 1), (4, 2), (4, 4)])
def test_the_number_of_replicas_and_hosts_changes_no_position(source, replicas, pipelines):
    alone = training(source, 7 * 8, seed=5, step=2)
    shared = [
        training(
            source, 7 * 8 // pipelines, seed=5, step=2,
            replicas=replicas, pipelines=pipelines, pipeline=pipeline,
        )
        for pipeline in range(pipelines)
    ]  # fmt: skip
    assert sorted(itertools.chain(*shared)) == sorted(alone)


@pytest.mark.parametrize('batch_size', [8, 32])
@pytest.mark.parametrize(('replicas', 'pipelines'), [(1, 1), (2, 1), (4, 2)])
def test_an_evaluation_reads_each_example_once(source, batch_size, replicas, pipelines):
    shared = [
        numbers(source, source.evaluation_keys(Feed(0, 0, replicas, pipelines, k), batch_size))
        for k in range(pipelines)
    ]
    assert len({len(part) for part in shared}) == 1, 'all hosts take equally many steps'
    read = list(itertools.chain(*shared))
    assert sorted(p for p, _ in read) == list(range(-(-SIZE // batch_size) * batch_size))
    counted = collections.Counter(number for position, number in read if position < SIZE)
    assert counted == dict.fromkeys(range(SIZE), 1)


def test_a_stream_reads_from_front_to_back_within_a_window(write_records):
    """What makes it fit for remote files: no record is far from its predecessor in the file."""
    shards = with_lengths([Shard(path) for path in write_records([200])])
    read = [n for _, n in training(RecordStream(shards, window=10, lanes=1), 200)]
    assert max(abs(number - place) for place, number in enumerate(read)) < 10
    assert read != sorted(read)


def test_a_stream_skips_whole_shards_without_opening_them(write_records):
    paths = write_records([8, 8, 8])
    shards = with_lengths([Shard(path) for path in paths])
    with open(paths[0], 'wb') as file:
        file.write(b'not a record')
    stream = RecordStream(shards, lanes=1)
    assert [n for _, n in training(stream, 16, shuffle=False, step=1)] == list(range(8, 24))


def test_lanes_that_cannot_be_shared_are_reported(write_records):
    shards = with_lengths([Shard(path) for path in write_records([8])])
    feed = Feed(replicas=3, pipelines=3)
    with pytest.raises(UserError, match='2 lanes cannot be shared by 3 hosts'):
        RecordStream(shards, lanes=4).training_keys(feed, 6, shuffle=True)
