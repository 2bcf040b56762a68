"""Data order as a function of (seed, position)."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed, example_seed, shuffled


def take(dataset, count):
    return [int(x) for x in dataset.take(count)]


def test_a_feed_started_at_a_later_step_yields_what_an_earlier_one_would_have():
    whole = take(Feed(step=0).positions(6), 30)
    assert take(Feed(step=2).positions(6), 18) == whole[12:]


@pytest.mark.parametrize('pipelines, replicas', [(1, 2), (2, 2), (2, 4)])
def test_pipelines_share_each_global_batch_without_overlap(pipelines, replicas):
    batch, steps = 8, 3
    parts = [
        np.reshape(
            take(
                Feed(replicas=replicas, pipelines=pipelines, pipeline=k).positions(batch),
                steps * batch // pipelines,
            ),
            (steps, -1),
        )
        for k in range(pipelines)
    ]
    together = np.concatenate(parts, axis=1)
    np.testing.assert_array_equal(together, np.arange(steps * batch).reshape(steps, batch))


def test_each_epoch_is_another_permutation():
    size = 97
    order = tf.map_fn(lambda p: shuffled(p, size, seed=3), tf.range(3 * size, dtype=tf.int64))
    epochs = order.numpy().reshape(3, size)
    for epoch in epochs:
        assert sorted(epoch) == list(range(size))
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], np.arange(size))


def test_a_vector_of_positions_is_permuted_as_each_of_them():
    positions = tf.range(250, dtype=tf.int64)  # Of several epochs.
    one_by_one = tf.map_fn(lambda p: shuffled(p, 97, 5), positions)
    np.testing.assert_array_equal(shuffled(positions, 97, 5), one_by_one)


def test_another_seed_is_another_order():
    positions = tf.range(50, dtype=tf.int64)
    orders = [tf.map_fn(lambda p, s=s: shuffled(p, 50, s), positions).numpy() for s in (0, 1)]
    assert not np.array_equal(*orders)


@pytest.mark.parametrize('seed', [1 << 8, 1 << 16, 1 << 32, 3 << 32, 1 << 48])
def test_seeds_that_have_their_lower_bits_in_common_are_other_orders(seed):
    """A run that recovers takes its next order from the upper bits."""
    positions = tf.range(50, dtype=tf.int64)
    order = shuffled(positions, 50, 5 + seed).numpy()
    assert sorted(order) == list(range(50))
    assert not np.array_equal(order, shuffled(positions, 50, 5))


def test_a_thousand_epochs_are_as_many_orders():
    orders = shuffled(tf.range(50 * 1000, dtype=tf.int64), 50, 0).numpy().reshape(1000, 50)
    assert len(np.unique(orders, axis=0)) == 1000


def test_evaluation_covers_every_example_once_and_pads_to_whole_batches():
    for replicas, pipelines in ((1, 1), (2, 1), (4, 2)):
        seen = []
        for k in range(pipelines):
            feed = Feed(replicas=replicas, pipelines=pipelines, pipeline=k)
            part = [int(p) for p in feed.evaluation_positions(10, 4)]
            assert len(part) == 12 // pipelines
            seen += part
        assert sorted(seen) == list(range(12))


def test_a_batch_that_cannot_be_shared_is_named():
    with pytest.raises(UserError, match='batch of 10 cannot be shared by 4 replicas'):
        Feed(replicas=4).per_replica(10)


def test_example_seeds_differ_by_position_and_run():
    a = example_seed(tf.constant(5, tf.int64), 0)
    b = example_seed(tf.constant(6, tf.int64), 0)
    c = example_seed(tf.constant(5, tf.int64), 1)
    assert len({tuple(x.numpy()) for x in (a, b, c)}) == 3


@pytest.mark.parametrize('size', [10, 64, 500, 1297])
def test_every_seed_shuffles_as_well_as_chance(size):
    """Of a random permutation, one element stands in its place, two beside their old neighbour."""
    epochs, places = 10, np.arange(size)
    for seed in range(20):
        positions = tf.range(epochs * size, dtype=tf.int64)
        orders = shuffled(positions, size, seed).numpy().reshape(epochs, size)
        assert np.mean(orders == places) * size < 3
        assert np.mean(np.abs(np.diff(orders)) == 1) * size < 6
        assert np.mean(orders[1:] == orders[:-1]) * size < 3
        along = [np.corrcoef(order, places)[0, 1] for order in orders]
        assert abs(np.mean(along)) < 4 / np.sqrt(epochs * (size - 1))


def test_numbers_are_shared_among_replicas_and_each_counts_once():
    for replicas in (1, 2):
        batches = list(Feed(replicas=replicas).numbers(10, 4))
        assert len(batches) == 3 * replicas
        counted = np.concatenate([batch['number'][batch['mask']] for batch in batches])
        np.testing.assert_array_equal(counted, np.arange(10))
        assert all(batch['number'].shape == (4 // replicas,) for batch in batches)
