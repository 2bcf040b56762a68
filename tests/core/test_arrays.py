import numpy as np
import tensorflow as tf

from garden.core.arrays import Arrays


def test_a_checkpoint_holds_arrays_bit_for_bit(tmp_path):
    values = {
        'weight': np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32),
        'turned': np.arange(6.0).reshape(2, 3).T,
        'updates': np.asarray(7, np.int64),
    }
    path = tf.train.Checkpoint(state=Arrays(values)).write(str(tmp_path / 'ckpt'))
    restored = Arrays({})
    tf.train.Checkpoint(state=restored).read(path).assert_consumed()
    assert restored.values.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(restored.values[name], value)
        assert restored.values[name].dtype == value.dtype
        assert restored.values[name].shape == value.shape


def test_equal_arrays_are_equal_bytes():
    value = np.arange(6.0).reshape(2, 3)
    assert Arrays({'a': value}).serialize() == Arrays({'a': value.T.copy().T}).serialize()
