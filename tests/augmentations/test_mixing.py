"""Mixup and CutMix: mass of labels, area of boxes, distributions, and what each image meets."""

import numpy as np
import pytest
import tensorflow as tf

from garden.augmentations.mixing import MixupCutmix
from garden.core.errors import UserError

COUNT, SIZE = 64, 20


def batch():
    """Image i is full of the number i, and of class i."""
    values = np.arange(COUNT, dtype=np.float32)
    return np.broadcast_to(values[:, None, None, None], (COUNT, SIZE, SIZE, 3)), np.eye(COUNT)


def mixed(mix):
    """Returns a function of a number, which the seed is made of: pictures and labels, mixed."""
    step = tf.function(mix, jit_compile=True)  # As on an accelerator.
    originals, classes = (tf.constant(values, tf.float32) for values in batch())

    def of(number):
        pictures, labels = step(originals, classes, tf.constant([3, number]))
        return pictures.numpy(), labels.numpy()

    return of


def own_shares(labels):
    return labels[np.arange(COUNT), np.arange(COUNT)]


@pytest.mark.parametrize('settings', [{}, {'mixup': 0.0}, {'cutmix': 0.0}, {'probability': 0.5}])
def test_no_label_mass_is_lost_and_the_partner_is_the_image_before(settings):
    _, labels = mixed(MixupCutmix(**settings))(0)
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-6)
    others = np.roll(np.eye(COUNT), 1, 0)
    np.testing.assert_allclose((labels * (np.eye(COUNT) + others)).sum(1), 1, rtol=1e-6)


def test_mixup_blends_at_the_share_of_the_label():
    pictures, labels = mixed(MixupCutmix(mixup=0.4, cutmix=0.0))(0)
    share = own_shares(labels)
    originals = batch()[0]
    expected = originals * share[:, None, None, None]
    expected = expected + np.roll(originals, 1, 0) * (1 - share)[:, None, None, None]
    np.testing.assert_allclose(pictures, expected, rtol=1e-5, atol=1e-5)
    assert len(np.unique(share)) > 50, 'each image has a share of its own'


def test_the_area_of_the_box_is_the_share_of_the_other_label():
    pictures, labels = mixed(MixupCutmix(mixup=0.0, cutmix=1.0))(0)
    own = pictures[..., 0] == np.arange(COUNT)[:, None, None]
    other = pictures[..., 0] == np.roll(np.arange(COUNT), 1)[:, None, None]
    assert (own ^ other).all()
    np.testing.assert_allclose(own.mean((1, 2)), own_shares(labels), atol=1e-6)
    for box in other:
        assert box.sum() == box.any(1).sum() * box.any(0).sum()
    boxes = [tuple(np.argwhere(box)[0]) for box in other if box.any()]
    assert len(set(boxes)) > 20, 'each image has a box of its own'


def test_shares_follow_the_beta_distribution():
    mix = mixed(MixupCutmix(mixup=0.2, cutmix=0.0))
    shares = np.concatenate([own_shares(mix(number)[1]) for number in range(40)])
    assert abs(shares.mean() - 0.5) < 0.03
    # Beta(a, a) has the variance 1 / (4 (2 a + 1)).
    assert abs(shares.var() - 1 / (4 * 1.4)) < 0.01


def test_both_are_used_as_often_as_told_and_some_images_pass():
    cut = blended = 0
    mix = mixed(MixupCutmix(mixup=1.0, cutmix=1.0, probability=0.5))
    for number in range(20):
        pictures, labels = mix(number)
        cut += sum(len(np.unique(p)) == 2 for p in pictures)
        changed = np.abs(own_shares(labels) - 1) > 1e-3
        blended += (changed & np.array([len(np.unique(p)) == 1 for p in pictures])).sum()
    assert abs(cut / (20 * COUNT) - 0.25) < 0.05
    assert abs(blended / (20 * COUNT) - 0.25) < 0.05


def test_it_is_a_function_of_the_seed():
    mix, again = mixed(MixupCutmix()), mixed(MixupCutmix())
    np.testing.assert_array_equal(mix(0)[0], again(0)[0])
    assert not np.array_equal(mix(0)[0], mix(1)[0])


@pytest.mark.parametrize(
    'settings', [{'mixup': -1.0}, {'mixup': 0.0, 'cutmix': 0.0}, {'cutmix_share': 1.5}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(UserError, match='mixup_cutmix'):
        MixupCutmix(**settings)
