"""TrivialAugment and RandAugment against the tables of their reference implementations."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from garden.augmentations.policies import RandAugment, TrivialAugmentWide
from garden.ops import picture as ops

# torchvision 0.28, TrivialAugmentWide: least and greatest magnitude, and whether it has a sign.
TRIVIAL = {
    'identity': (0, 0, False), 'shear_x': (0, 0.99, True), 'shear_y': (0, 0.99, True),
    'translate_x': (0, 32, True), 'translate_y': (0, 32, True), 'rotate': (0, 135, True),
    'brightness': (0, 0.99, True), 'color': (0, 0.99, True), 'contrast': (0, 0.99, True),
    'sharpness': (0, 0.99, True), 'posterize': (8, 2, False), 'solarize': (255, 0, False),
    'autocontrast': (0, 0, False), 'equalize': (0, 0, False),
}  # fmt: skip
BITS = [8, 8, 8, 7, 7, 7, 7, 7, 6, 6, 6, 6, 6, 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 3, 3, 3, 3, 3, 2, 2, 2]


def seed(number):
    return tf.constant([5, number], tf.int64)


def noise(size=24):
    return np.random.default_rng(0).uniform(0, 1, (size, size, 3)).astype(np.float32)


def many(policy, image, count):
    """The image augmented with `count` seeds, in one traced pipeline."""
    data = tf.data.Dataset.range(count).map(lambda n: policy(image, tf.stack([5, n])))
    return np.stack(list(data.as_numpy_iterator()))


def test_the_table_is_that_of_torchvision():
    policy = TrivialAugmentWide()
    found = {name: (m[0], m[-1], s) for name, (_, m, s) in policy.operations.items()}
    assert found.keys() == TRIVIAL.keys()
    assert all(found[name] == pytest.approx(row) for name, row in TRIVIAL.items())
    assert all(len(magnitudes) == 31 for _, magnitudes, _ in policy.operations.values())
    np.testing.assert_array_equal(policy.operations['posterize'][1], BITS)
    np.testing.assert_allclose(policy.operations['rotate'][1][1], 4.5)


def test_each_operation_is_drawn_equally_often_and_alone():
    policy = TrivialAugmentWide()
    drawn = dict.fromkeys(policy.operations, 0)
    signs = set()
    for number, name in enumerate(policy.operations):
        code = float(number)
        magnitudes, signed = policy.operations[name][1:]

        def mark(p, m, code=code):
            return tf.zeros_like(p) + tf.cast(code + 100 * tf.cast(m < 0, tf.float32), p.dtype)

        policy.operations[name] = (mark, magnitudes, signed)
    codes = np.round(many(policy, np.zeros([1, 1, 3], np.float32), 2800)[:, 0, 0, 0] * 255)
    for number, name in enumerate(policy.operations):
        drawn[name] = int((codes % 100 == number).sum())
        if (codes == 100 + number).any():
            signs.add(name)
    assert all(abs(count - 200) < 60 for count in drawn.values()), drawn
    assert signs == {name for name, (_, _, signed) in TRIVIAL.items() if signed}


def test_trivial_augment_translates_by_whole_pixels():
    image = np.round(noise() * 255).astype(np.uint8)
    policy = TrivialAugmentWide()
    moved = policy.operations['translate_x'][0](tf.constant(image), tf.constant(-7.9))
    expected = np.zeros_like(image)
    expected[:, :-7] = image[:, 7:]
    np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize('policy', [TrivialAugmentWide(), RandAugment()])
def test_policies_keep_shape_and_range_and_are_functions_of_the_seed(policy):
    image = noise()
    first, again = many(policy, image, 60), many(policy, image, 60)
    np.testing.assert_array_equal(first, again)
    assert first.shape == (60, 24, 24, 3) and first.dtype == np.float32
    assert first.min() >= 0 and first.max() <= 1
    levels = first * 255
    np.testing.assert_allclose(levels, np.round(levels), atol=1e-3)
    assert len(np.unique(first.reshape(60, -1), axis=0)) > 30


# timm 1.0.31, 'rand-m9-mstd0.5-inc1', at magnitudes 3.7 and 10: the argument of its operation.
RAND = {
    'rotate': (11.1, 30.0), 'posterize': (3, 0), 'solarize': (162, 0), 'solarize_add': (40, 110),
    'color': (1.333, 1.9), 'shear_x': (0.111, 0.3), 'translate_x': (0.1665, 0.45),
}  # fmt: skip


@pytest.mark.parametrize('name', sorted(RAND))
def test_the_magnitudes_of_rand_augment_are_timms(name):
    image = tf.constant(np.round(noise() * 255).astype(np.uint8))
    policy = RandAugment(fill=(0, 0, 0))
    for magnitude, argument in zip((3.7, 10.0), RAND[name], strict=True):
        if name == 'translate_x':
            expected = ops.translate_x(image, tf.constant(argument * 24), (0, 0, 0))
        elif name in ('rotate', 'shear_x'):
            expected = getattr(ops, name)(image, tf.constant(argument), (0, 0, 0))
        else:
            expected = getattr(ops, name)(image, tf.constant(float(argument)))
        ours = policy.operations[name](image, tf.constant(magnitude))
        assert np.abs(ours.numpy().astype(int) - expected.numpy()).max() <= 1


def test_rand_augment_leaves_a_quarter_of_the_images_as_they_are():
    image = np.round(noise(8) * 255).astype(np.float32) / 255
    same = (np.abs(many(RandAugment(), image, 800) - image).max((1, 2, 3)) < 1e-3).mean()
    # Two operations, each applied with probability 1/2; a few change nothing of this picture.
    assert 0.2 < same < 0.33


def test_policies_see_what_pillow_sees():
    """Float images are rounded to the nearest of 256 levels, not truncated."""
    image = noise(8)
    identity = TrivialAugmentWide()
    identity.operations = {'identity': identity.operations['identity']}
    expected = np.array(Image.fromarray(np.round(image * 255).astype(np.uint8)))
    np.testing.assert_allclose(identity(image, seed(0)) * 255, expected, atol=1e-4)
