"""Random erasing: where it paints, how often, how much."""

import numpy as np
import tensorflow as tf

from garden.augmentations.erasing import RandomErasing


def painted(eraser, height=40, width=60, count=400):
    image = tf.fill([height, width, 3], -1.0)
    data = tf.data.Dataset.range(count).map(lambda n: eraser(image, tf.stack([9, n])))
    return np.stack(list(data.as_numpy_iterator())) != -1


def test_it_paints_one_rectangle_of_the_stated_size():
    masks = painted(RandomErasing(probability=1.0))
    assert (masks.any(3) == masks.all(3)).all()
    masks = masks[..., 0]
    ratios = []
    for mask in masks:
        rows, columns = mask.any(1).sum(), mask.any(0).sum()
        assert mask.sum() == rows * columns > 0
        assert 0.015 < mask.mean() < 0.34
        ratios.append(rows / columns)
    assert 0.25 < min(ratios) < 0.5 and 2 < max(ratios) < 3.8
    # It reaches all of the image but for some pixels in the corners.
    assert masks.any(0).mean() > 0.98
    # Uniform area between 2 % and 33 %; the largest fit less often.
    assert 0.14 < masks.mean() < 0.18


def test_it_paints_as_often_as_it_is_told_to_in_the_colour_of_the_mean():
    eraser = RandomErasing(probability=0.25)
    often = painted(eraser, 20, 20, 1000).any((1, 2, 3)).mean()
    assert 0.2 < often < 0.3
    image = RandomErasing(probability=1.0)(tf.zeros([20, 20, 3]), tf.constant([1, 2], tf.int64))
    colours = np.unique(image.numpy().reshape(-1, 3), axis=0)
    np.testing.assert_allclose(colours, [[0, 0, 0], [0.485, 0.456, 0.406]])


def test_it_is_a_function_of_the_seed():
    eraser = RandomErasing(probability=0.5)
    np.testing.assert_array_equal(painted(eraser, count=20), painted(eraser, count=20))
