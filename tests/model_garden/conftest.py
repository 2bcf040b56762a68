"""Pictures made here, tinted noise in four classes, and a small experiment on them."""

import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope='session')
def overrides(tmp_path_factory):
    """Where the data of an experiment lie: 64 pictures to train on, in two files, 32 to judge."""
    folder = tmp_path_factory.mktemp('pictures')
    rng = np.random.default_rng(0)
    for name, count in (('train-0', 32), ('train-1', 32), ('val-0', 32)):
        with tf.io.TFRecordWriter(str(folder / f'{name}.tfrecord')) as writer:
            for label in rng.integers(4, size=count):
                writer.write(example(rng, int(label)))
    return {
        'task.train_data.input_path': f'{folder}/train-*.tfrecord',
        'task.validation_data.input_path': f'{folder}/val-*.tfrecord',
    }


def example(rng, label):
    """A picture whose class is the channel that is brightest; of the last class, none is."""
    picture = rng.integers(0, 60, (32, 32, 3), np.uint8)
    if label < 3:
        picture[:, :, label] += 100
    features = {
        'image/encoded': tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[tf.io.encode_jpeg(picture).numpy()])
        ),
        'image/class/label': tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()
