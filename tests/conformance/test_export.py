"""What a task exports gives, once it is loaded, what the task gives."""

import numpy as np
import pytest
import tensorflow as tf
from catalogue import OFFLINE, costly
from etils import epath

from garden.core.feed import Feed
from garden.export import formats, saved_model


def value(spec):
    """Something that a signature takes; sizes that are open are 2."""
    shape = [2 if size is None else size for size in spec.shape]
    if spec.dtype == tf.string:
        picture = tf.io.encode_png(np.arange(64, dtype=np.uint8).reshape(8, 8, 1))
        return tf.fill(shape, picture)
    if spec.dtype.is_integer:
        return tf.ones(shape, spec.dtype)
    return tf.random.stateless_uniform(shape, [1, 2])


def specs_of(function):
    """What a signature takes and gives."""
    return [*saved_model.inputs_of(function).values(), *function.structured_outputs.values()]


@pytest.mark.parametrize('name', costly(OFFLINE))
def test_what_is_exported_gives_what_the_task_gives(name, small, one_device, tmp_path):
    _, (*_, trainer), _ = small(name, one_device)
    signatures = saved_model.trace(trainer.task.signatures())
    assert signatures
    saved_model.write(signatures, tmp_path / 'saved_model')
    loaded = tf.saved_model.load(str(tmp_path / 'saved_model')).signatures
    assert set(loaded) == set(signatures)
    for kind, function in loaded.items():
        given = {name: value(spec) for name, spec in function.structured_input_signature[1].items()}
        positional, _ = signatures[kind].structured_input_signature
        expected = signatures[kind](*(given[spec.name] for spec in positional))
        found = function(**given)
        assert found.keys() == expected.keys()
        for key, tensor in found.items():
            if tensor.dtype == tf.string:
                np.testing.assert_array_equal(tensor, expected[key])
            else:
                np.testing.assert_allclose(tensor, expected[key], rtol=1e-5, atol=1e-5)
    folder = epath.Path(tmp_path)
    made = formats.convert_all(['tflite'], trainer.task, signatures, Feed(), folder)['tflite']
    # All but what takes files, gives pictures, or draws random numbers of a seed.
    numeric = {
        name
        for name, function in signatures.items()
        if not {tf.string, tf.uint8} & {spec.dtype for spec in specs_of(function)}
        and 'seed' not in saved_model.inputs_of(function)
    }
    assert numeric - {'serving_default'} <= set(made.files)
    assert made.files
