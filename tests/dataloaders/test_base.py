"""What all data loaders promise: batches that depend on seed, step and position alone."""

import itertools
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.base import Dataloader
from garden.sources.base import Source
from garden.sources.memory import Arrays

SIZE = 21


class Numbers(Dataloader):
    """Passes a number on, with noise that stands for any augmentation."""

    raw_spec: ClassVar = {'number': tf.TensorSpec([], tf.int64)}

    def parse(self, example, seed):
        return {'number': example['number'], 'noise': tf.random.stateless_uniform([2], seed)}


class Mixed(Numbers):
    """Adds to each example what the whole batch shares."""

    def finish(self, batch, seed):
        shape = batch['number'].shape
        return dict(batch) | {
            'sum': tf.fill(shape, tf.reduce_sum(batch['number'])),
            'draw': tf.fill(shape, tf.random.stateless_uniform([], seed)),
        }


def numbers(size=SIZE):
    return Arrays({'number': np.arange(size)})


def read(loader, count=None, **place):
    """Returns the batches of one pipeline as NumPy."""
    return list(itertools.islice(loader(Feed(**place)).as_numpy_iterator(), count))


def global_batches(loader, steps, replicas, pipelines, **place):
    """Puts the batches of all replicas and pipelines together, step by step."""
    each = replicas // pipelines
    parts = [
        read(
            loader, None if steps is None else steps * each,
            replicas=replicas, pipelines=pipelines, pipeline=pipeline, **place,
        )
        for pipeline in range(pipelines)
    ]  # fmt: skip
    joined = []
    for step in range(len(parts[0]) // each):
        of_step = [batch for part in parts for batch in part[step * each : (step + 1) * each]]
        joined.append({k: np.concatenate([batch[k] for batch in of_step]) for k in of_step[0]})
    return joined


def assert_equal(some, others):
    assert len(some) == len(others) > 0
    for one, other in zip(some, others, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


@pytest.mark.parametrize('training', [True, False])
@pytest.mark.parametrize(('replicas', 'pipelines'), [(2, 1), (4, 1), (2, 2), (4, 2)])
def test_replicas_and_hosts_share_the_same_global_batches(training, replicas, pipelines):
    loader = Numbers(numbers(), 8, training)
    steps = 6 if training else None
    alone = global_batches(loader, steps, 1, 1, seed=4)
    shared = global_batches(loader, steps, replicas, pipelines, seed=4)
    assert_equal(alone, shared)


def test_a_start_at_step_k_continues_an_uninterrupted_run():
    loader = Numbers(numbers(), 8, training=True)
    straight = read(loader, 9, seed=2)
    assert_equal(straight[5:], read(loader, 4, seed=2, step=5))


def test_the_seed_decides_everything():
    loader = Numbers(numbers(), 8, training=True)
    assert_equal(read(loader, 5, seed=1), read(loader, 5, seed=1))
    first, other = read(loader, 1, seed=1)[0], read(loader, 1, seed=2)[0]
    assert not np.array_equal(first['number'], other['number'])
    assert not np.intersect1d(first['noise'], other['noise']).size


def test_the_same_example_is_augmented_anew_in_each_epoch():
    loader = Numbers(numbers(4), 4, training=True, shuffle=False)
    first, second = read(loader, 2)
    np.testing.assert_array_equal(first['number'], second['number'])
    assert not np.intersect1d(first['noise'], second['noise']).size


@pytest.mark.parametrize('size', [21, 24, 3])
@pytest.mark.parametrize('replicas', [1, 2, 4])
def test_an_evaluation_counts_each_example_once(size, replicas):
    loader = Numbers(numbers(size), 8, training=False)
    counted = np.concatenate([b['number'][b['mask']] for b in read(loader, replicas=replicas)])
    assert sorted(counted) == list(range(size))


def test_batches_have_static_shapes():
    for training in (True, False):
        spec = Numbers(numbers(), 8, training)(Feed(replicas=2)).element_spec
        assert all(one.shape.is_fully_defined() and one.shape[0] == 4 for one in spec.values())
        assert ('mask' in spec) == (not training)


def test_the_number_of_batches_is_known():
    assert Numbers(numbers(), 8, True)(Feed()).cardinality() == tf.data.INFINITE_CARDINALITY
    assert Numbers(numbers(), 8, False)(Feed()).cardinality() == 3
    assert Numbers(numbers(), 8, False)(Feed(replicas=4, pipelines=2)).cardinality() == 6
    loader = Numbers(numbers(), 8, False)
    assert (loader.num_examples, loader.steps_per_epoch) == (21, 3)


def test_a_strategy_deals_the_same_batches(two_replicas):
    loader = Numbers(numbers(), 8, training=True)
    dataset = two_replicas.distribute_datasets_from_function(
        lambda context: loader(Feed.of(context, seed=6, step=3))
    )
    per_replica = next(iter(dataset))['number']
    dealt = np.concatenate(
        [v.numpy() for v in two_replicas.experimental_local_results(per_replica)]
    )
    np.testing.assert_array_equal(dealt, read(loader, 1, seed=6, step=3)[0]['number'])


def test_finish_sees_the_batch_and_a_seed_of_its_own_in_each_step():
    batches = read(Mixed(numbers(), 8, training=True), 4, seed=1)
    for batch in batches:
        assert batch['sum'][0] == batch['number'].sum()
    assert len({batch['draw'][0] for batch in batches}) == 4
    assert_equal(batches[2:], read(Mixed(numbers(), 8, training=True), 2, seed=1, step=2))


def test_a_cache_changes_nothing_but_the_reading():
    plain, cached = (Numbers(numbers(), 8, True, cache=cache) for cache in (False, True))
    assert_equal(read(plain, 5, seed=1), read(cached, 5, seed=1))


class Nowhere(Source):
    """A source whose data are missing."""

    @property
    def features(self):
        raise UserError('the data are missing')

    def __len__(self):
        raise UserError('the data are missing')

    def load(self, key):
        raise UserError('the data are missing')


def test_a_loader_is_built_where_its_data_are_not():
    loader = Numbers(Nowhere(), 8, training=True)
    with pytest.raises(UserError, match='the data are missing'):
        loader(Feed())


def test_a_missing_feature_is_one_line():
    loader = Numbers(Arrays({'numbr': [1, 2], 'x': [1, 2]}), 2, training=True)
    with pytest.raises(UserError) as error:
        loader(Feed())
    assert str(error.value) == (
        "The data loader Numbers needs the feature 'number' (int64), but sources.arrays (numbr, x) "
        'has only: numbr, x. Did you mean numbr?'
    )


@pytest.mark.parametrize(
    ('array', 'found'),
    [(np.zeros([3], np.float32), 'float32'), (np.zeros([3, 2], int), 'int64[2]')],
)
def test_a_feature_of_another_type_or_shape_is_one_line(array, found):
    with pytest.raises(UserError) as error:
        Numbers(Arrays({'number': array}), 2, training=True)(Feed())
    assert str(error.value) == (
        "The data loader Numbers needs the feature 'number' (int64), but in sources.arrays "
        f'(number) it is {found}.'
    )


@pytest.mark.parametrize('training', [True, False])
def test_an_empty_source_is_reported(training):
    with pytest.raises(UserError, match='holds no examples'):
        Numbers(numbers(0), 2, training)(Feed())


def test_a_batch_that_replicas_cannot_share_is_reported():
    with pytest.raises(UserError, match='batch of 8 cannot be shared by 3 replicas'):
        Numbers(numbers(), 8, training=True)(Feed(replicas=3))
    with pytest.raises(UserError, match='batch_size of 1 or more; 0 is not'):
        Numbers(numbers(), 0, training=True)


@pytest.mark.parametrize(('replicas', 'pipelines'), [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize('step', [0, 3])
def test_a_batch_repeats_each_example_with_other_augmentations(replicas, pipelines, step):
    place = {'replicas': replicas, 'pipelines': pipelines, 'seed': 4}
    loader = Numbers(numbers(), 12, training=True, repeats=3)
    batches = global_batches(loader, 9, step=step, **place)
    for batch in batches:
        examples, counts = np.unique(batch['number'], return_counts=True)
        assert len(examples) == 4 or (counts % 3 == 0).all()  # The same again, across two epochs.
        assert counts.sum() == 12
        assert len(np.unique(batch['noise'], axis=0)) == 12
    # Steps 0 to 6 read 28 examples: one epoch of 21 and the beginning of the next.
    if not step:
        first = np.concatenate([batch['number'] for batch in batches])[:72]
        assert len(np.unique(first)) == SIZE


def test_repeats_are_functions_of_the_position_on_any_number_of_hosts():
    loader = Numbers(numbers(), 12, training=True, repeats=3)
    straight = global_batches(loader, 6, 1, 1)
    resumed = global_batches(loader, 2, 1, 1, step=4)
    for one, other in zip(straight[4:], resumed, strict=True):
        np.testing.assert_array_equal(one['noise'], other['noise'])
    shared = global_batches(loader, 6, 2, 2)
    for one, other in zip(straight, shared, strict=True):
        for name in ('number', 'noise'):
            np.testing.assert_array_equal(np.sort(one[name], 0), np.sort(other[name], 0))


def test_copies_lie_far_apart_and_a_batch_need_not_be_divisible():
    (batch,) = read(Numbers(numbers(), 8, training=True, repeats=3), 1)
    order = batch['number']
    np.testing.assert_array_equal(order[:3], order[3:6])
    np.testing.assert_array_equal(order[:2], order[6:])
    assert len(set(order[:3])) == 3


def test_repeats_do_not_touch_the_evaluation():
    loader = Numbers(numbers(), 8, training=False, repeats=3)
    seen = np.concatenate([batch['number'][batch['mask']] for batch in read(loader)])
    np.testing.assert_array_equal(seen, np.arange(SIZE))


def test_a_number_of_repeats_that_makes_no_sense_is_refused():
    with pytest.raises(UserError, match='repeats of 1 or more; 0 is not'):
        Numbers(numbers(), 8, training=True, repeats=0)
