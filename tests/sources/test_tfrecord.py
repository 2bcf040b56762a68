"""TFRecords of tf.train.Example."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.sources.tfrecord import TFRecord


def feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, int):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
    return tf.train.Feature(float_list=tf.train.FloatList(value=value))


@pytest.fixture
def folder(tmp_path):
    """Two files as the Model Garden writes ImageNet, with boxes on top."""
    for shard in range(2):
        with tf.io.TFRecordWriter(str(tmp_path / f'train-0000{shard}-of-00002')) as writer:
            for number in range(3 * shard, 3 * shard + 3):
                stored = {
                    'image/encoded': b'picture %d' % number,
                    'image/class/label': number + 1,
                    'image/object/bbox/xmin': [0.25] * number,
                }
                features = {key: feature(value) for key, value in stored.items()}
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
    return str(tmp_path)


@pytest.mark.parametrize('random_access', [None, False])
def test_the_model_gardens_format_is_the_default(folder, random_access):
    source = TFRecord('train*', folder, label_offset=1, random_access=random_access)
    assert len(source) == 6
    assert source.features == {
        'image': tf.TensorSpec([], tf.string),
        'label': tf.TensorSpec([], tf.int64),
    }
    from garden.core.feed import Feed

    keys = source.evaluation_keys(Feed(), batch_size=6)
    loaded = sorted(
        (int(example['label']), example['image'])
        for example in keys.map(lambda _, key: source.load(key)).as_numpy_iterator()
    )
    assert loaded == [(number, b'picture %d' % number) for number in range(6)]


def test_features_of_any_name_and_length(folder):
    source = TFRecord(
        'train*', folder, features={'left': ('image/object/bbox/xmin', 'float32', (None,))}
    )
    assert source.features['left'].shape.as_list() == [None]
    for number in (0, 4):
        left = source.load(tf.constant(number, tf.int64))['left']
        np.testing.assert_array_equal(left, [0.25] * number)


def test_a_type_that_no_tfrecord_holds_is_refused():
    with pytest.raises(UserError, match=r"cannot have the type 'int32'.*Did you mean int64"):
        TFRecord('train*', features={'label': ('label', 'int32', ())})


def test_missing_files_are_reported(tmp_path):
    source = TFRecord('train*', str(tmp_path), offline_sibling='toy_mini')
    with pytest.raises(UserError, match=f'nothing found in {tmp_path}/train.*=toy_mini'):
        len(source)
