"""Examples that stand in for any data."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.sources.synthetic import Synthetic

SPEC = {
    'image': (tf.TensorSpec([], tf.string), tf.TensorSpec([None, None, None], tf.uint8)),
    'label': tf.TensorSpec([], tf.int64),
    'boxes': tf.TensorSpec([None, 4], tf.float32),
}


def examples(size=40, **arguments):
    source = Synthetic(size=size, **arguments)
    source.require(SPEC, 'test')
    return [source.load(tf.constant(i, tf.int64)) for i in range(size)]


def test_examples_are_what_the_loader_asks_for():
    for example in examples(classes=5, image_size=24, length=3):
        assert tf.io.decode_jpeg(example['image']).shape == (24, 24, 3)
        assert example['label'].dtype == tf.int64
        assert example['boxes'].shape == (3, 4)
    labels = {int(example['label']) for example in examples(classes=5)}
    assert labels == set(range(5))


def test_examples_differ_and_depend_on_the_seed_alone():
    images = [example['image'].numpy() for example in examples()]
    assert len(set(images)) == len(images)
    assert images == [example['image'].numpy() for example in examples()]
    assert not set(images) & {example['image'].numpy() for example in examples(seed=1)}


def test_features_are_drawn_independently():
    first = examples(1)[0]
    assert not np.allclose(first['boxes'][0], first['boxes'][1])


def test_lists_of_text_are_refused():
    with pytest.raises(UserError, match="no lists of text, as test needs for 'words'"):
        Synthetic().require({'words': tf.TensorSpec([None], tf.string)}, 'test')
