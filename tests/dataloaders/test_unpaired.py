"""Two domains side by side."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.images import Images
from garden.dataloaders.unpaired import Unpaired
from garden.sources.memory import Arrays


def domain(size, batch_size=4, training=True, **settings):
    """Images of one colour each: the number of the image."""
    numbers = np.arange(size, dtype=np.uint8)[:, None, None, None]
    source = Arrays({'image': np.broadcast_to(numbers, [size, 2, 2, 1])})
    return Images(source, batch_size, training, 2, channels=1, high=255.0, **settings)


def numbers(batch, key):
    return np.round(batch[key]['image'][:, 0, 0, 0]).astype(int).tolist()


def read(loader, feed, steps):
    return [
        {key: numbers(batch, key) for key in ('a', 'b')}
        for batch in loader(feed).take(steps).as_numpy_iterator()
    ]


def joined(batches, key):
    return [number for batch in batches for number in batch[key]]


def test_an_epoch_of_either_domain_holds_each_of_its_images_once():
    batches = read(Unpaired(domain(12), domain(20)), Feed(seed=1), 15)
    assert sorted(joined(batches, 'a')[:12]) == list(range(12))
    assert sorted(joined(batches, 'b')[:20]) == list(range(20))


def test_the_orders_have_nothing_to_do_with_each_other():
    batches = read(Unpaired(domain(100), domain(100)), Feed(seed=1), 50)
    a, b = joined(batches, 'a'), joined(batches, 'b')
    together = sum(one == other for one, other in zip(a, b, strict=True))
    assert together < 10
    first, second = (dict(zip(a[s], b[s], strict=True)) for s in (slice(100), slice(100, 200)))
    assert sum(first[key] == second[key] for key in first) < 10


def test_it_goes_on_from_any_step_and_shares_out_among_hosts():
    loader, feed = Unpaired(domain(12), domain(20)), Feed(seed=1)
    straight = read(loader, feed, 8)
    assert read(loader, dataclasses.replace(feed, step=5), 3) == straight[5:]
    hosts = [dataclasses.replace(feed, replicas=2, pipelines=2, pipeline=k) for k in range(2)]
    shares = [read(loader, host, 8) for host in hosts]
    for key in ('a', 'b'):
        both = [one[key] + other[key] for one, other in zip(*shares, strict=True)]
        assert both == [batch[key] for batch in straight]


def test_an_evaluation_ends_with_the_smaller_domain_and_masks_its_padding():
    loader = Unpaired(domain(6, training=False), domain(9, training=False))
    batches = list(loader(Feed()).as_numpy_iterator())
    assert [batch['mask'].tolist() for batch in batches] == [[True] * 4, [True, True, False, False]]
    assert numbers(batches[0], 'a') == numbers(batches[0], 'b') == [0, 1, 2, 3]


def test_a_bad_picture_of_one_domain_is_found(tmp_path):
    good = tf.io.encode_png(np.zeros([2, 2, 3], np.uint8)).numpy()
    source = Arrays({'image': np.array([good, b'no picture', good, good], object)})
    bad = Images(source, 4, True, 2, channels=1, shuffle=False)
    with pytest.raises(tf.errors.InvalidArgumentError):
        next(iter(Unpaired(domain(4), bad)(Feed())))


@pytest.mark.parametrize('settings', [{'batch_size': 2}, {'training': False}])
def test_loaders_that_cannot_go_together_are_refused(settings):
    with pytest.raises(UserError, match=f'the {next(iter(settings))} of a is .* to be the same'):
        Unpaired(domain(4), domain(4, **settings))
