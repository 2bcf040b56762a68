"""The pool of generated images, as CycleGAN's discriminators learn from it."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.image_pool import ImagePool


def batch(numbers):
    """Images of one pixel that show a number."""
    return tf.cast(tf.reshape(list(numbers), [-1, 1, 1, 1]), tf.float32)


def exchange(pool, numbers, seed):
    return pool.exchange(batch(numbers), tf.constant([seed, 0])).numpy().ravel().tolist()


def held(pool):
    return pool.images.numpy().ravel().tolist()


def test_the_first_images_fill_it_and_come_back_as_they_are():
    pool = ImagePool(5, (1, 1, 1))
    assert exchange(pool, range(3), 1) == [0, 1, 2]
    assert exchange(pool, (3, 4), 2) == [3, 4]
    assert held(pool) == [0, 1, 2, 3, 4]


def test_no_image_is_lost_or_made():
    pool = ImagePool(7, (1, 1, 1))
    number = 0
    for seed in range(60):
        before = held(pool) if number >= 7 else held(pool)[:number]
        new = list(range(number, number + 4))
        number += 4
        out = exchange(pool, new, seed)
        after = held(pool) if number >= 7 else held(pool)[:number]
        if number > 10:
            assert sorted(before + new) == sorted(after + out)
        assert len({*after}) == len(after)


def test_half_of_the_images_come_from_earlier_steps_and_from_everywhere_in_the_pool():
    pool = ImagePool(10, (1, 1, 1))
    out = np.array([exchange(pool, range(8 * i, 8 * i + 8), i) for i in range(200)])
    old = out < 8 * np.arange(200)[:, None]
    # Of those that are kept back, some come back within the same batch.
    assert 0.4 < old[10:].mean() < 0.5
    age = (8 * np.arange(200)[:, None] - out)[old]
    assert age.max() > 100  # An image leaves one of 10 places every 2 * 10 images on average.


def test_the_seed_decides():
    pools = [ImagePool(4, (1, 1, 1)) for _ in range(3)]
    out = [
        [exchange(pool, range(6 * i, 6 * i + 6), i + start) for i in range(9)]
        for pool, start in zip(pools, (0, 0, 100), strict=True)
    ]
    assert out[0] == out[1] != out[2]


def test_without_a_pool_every_image_comes_back():
    pool = ImagePool(0, (1, 1, 1))
    assert exchange(pool, range(3), 1) == [0, 1, 2]


def test_no_gradient_passes():
    images = batch(range(3))
    with tf.GradientTape() as tape:
        tape.watch(images)
        out = ImagePool(2, (1, 1, 1)).exchange(images, tf.constant([0, 0]))
    assert tape.gradient(out, images) is None


@pytest.fixture
def on_two(two_replicas):
    """Returns a pool of two replicas, and a function that exchanges a number on each."""
    with two_replicas.scope():
        pool = ImagePool(2, (1, 1, 1))

    @tf.function
    def run(first):
        def on_replica():
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            image = tf.cast(tf.reshape(first + 100 * number, [1, 1, 1, 1]), tf.float32)
            return pool.exchange(image, tf.stack([first, number]))

        return two_replicas.run(on_replica)

    return pool, run


def of_replicas(pool, strategy):
    values = strategy.experimental_local_results(pool.images)
    return [value.numpy().ravel().tolist() for value in values]


def test_each_replica_has_a_pool_of_its_own(two_replicas, on_two):
    pool, run = on_two
    for number in range(2):
        run(tf.constant(number))
    assert of_replicas(pool, two_replicas) == [[0, 1], [100, 101]]
    for number in range(2, 30):
        run(tf.constant(number))
    first, second = of_replicas(pool, two_replicas)
    assert max(first) < 100 <= min(second)
    assert [value - 100 for value in second] != first


def test_a_checkpoint_holds_it_under_several_replicas(two_replicas, on_two, tmp_path):
    pool, run = on_two
    for number in range(2):
        run(tf.constant(number))
    path = tf.train.Checkpoint(pool=pool).write(str(tmp_path / 'pool'))
    alone = ImagePool(2, (1, 1, 1))
    tf.train.Checkpoint(pool=alone).read(path).assert_consumed()
    assert held(alone) == [0, 1]
    assert int(alone.filled) == 2
