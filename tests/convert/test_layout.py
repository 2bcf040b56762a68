import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden import registry
from garden.convert.layout import Layout, fill, write
from garden.core.errors import StorageError, UserError


class Model(keras.Model):
    """Two channels, a 3x3 convolution, a normalisation, three classes."""

    def __init__(self, classes=3):
        super().__init__()
        self.conv = keras.layers.Conv2D(4, 3, name='conv')
        self.bn = keras.layers.BatchNormalization(name='bn')
        self.fc = keras.layers.Dense(classes, name='fc')
        self.build([None, 8, 8, 2])

    def call(self, inputs):
        return self.fc(tf.reduce_mean(self.bn(self.conv(inputs)), [1, 2]))


LAYOUTS = {'ours': Layout(), 'theirs': Layout([('^', 'net.')])}


def tensors(prefix='', classes=3):
    random = np.random.default_rng(0)
    shapes = {
        'conv.weight': (4, 2, 3, 3),
        'conv.bias': (4,),
        'bn.weight': (4,),
        'bn.bias': (4,),
        'bn.running_mean': (4,),
        'bn.running_var': (4,),
        'bn.num_batches_tracked': (),
        'fc.weight': (classes, 4),
        'fc.bias': (classes,),
    }
    return {
        prefix + name: random.normal(size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def without(given, name):
    return {n: value for n, value in given.items() if n != name}


def refused(given, *parts, model=None, **arguments):
    """Asserts that the tensors are refused in one line that has the parts, and change nothing."""
    model = model or Model()
    before = [variable.numpy() for variable in model.variables]
    with pytest.raises(UserError) as error:
        fill(model, LAYOUTS, given, **arguments)
    message = str(error.value)
    assert '\n' not in message
    for part in parts:
        assert part in message
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_every_variable_gets_its_value_with_axes_in_our_order():
    model, given = Model(), tensors()
    filled = fill(model, LAYOUTS, given)
    np.testing.assert_array_equal(model.conv.kernel[1, 2, 0], given['conv.weight'][:, 0, 1, 2])
    np.testing.assert_array_equal(model.fc.kernel, given['fc.weight'].T)
    np.testing.assert_array_equal(model.bn.gamma, given['bn.weight'])
    np.testing.assert_array_equal(model.bn.beta, given['bn.bias'])
    np.testing.assert_array_equal(model.bn.moving_mean, given['bn.running_mean'])
    np.testing.assert_array_equal(model.bn.moving_variance, given['bn.running_var'])
    assert filled.layout == 'ours'
    assert sorted(filled.used) == sorted(given.keys() - {'bn.num_batches_tracked'})
    assert (filled.ignored, filled.kept) == (['bn.num_batches_tracked'], [])


def test_the_convolution_is_pytorchs():
    """A correlation, so that output (y, x) of filter o sums inputs times kernel[o] in place."""
    model, given = Model(), tensors()
    fill(model, LAYOUTS, given)
    image = np.random.default_rng(1).normal(size=(1, 3, 3, 2)).astype(np.float32)
    wanted = np.einsum('yxc,ocyx->o', image[0], given['conv.weight']) + given['conv.bias']
    np.testing.assert_allclose(model.conv(image)[0, 0, 0], wanted, rtol=1e-5)


def test_the_layout_is_found_by_the_names():
    assert fill(Model(), LAYOUTS, tensors('net.')).layout == 'theirs'
    refused(tensors('web.'), 'of another project than ours, theirs', 'web.conv.weight')
    refused(tensors('net.'), 'conv.weight is missing', layout='ours')
    refused(tensors(), '--layout=our ', 'Did you mean ours', layout='our')


def test_values_may_be_changed():
    layouts = {'x': Layout(changes={'conv.kernel': lambda kernel: kernel[:, :, ::-1]})}
    model, given = Model(), tensors()
    fill(model, layouts, given)
    np.testing.assert_array_equal(model.conv.kernel[1, 2, 0], given['conv.weight'][:, 1, 1, 2])


def test_half_precision_becomes_float32():
    given = {name: value.astype(np.float16) for name, value in tensors().items()}
    model = Model()
    fill(model, LAYOUTS, given)
    np.testing.assert_array_equal(model.fc.bias, given['fc.bias'].astype(np.float32))


def test_what_does_not_fit_is_named():
    refused(
        without(tensors(), 'bn.running_mean'), 'bn.running_mean is missing', '--leave_out=bn to'
    )
    extra = tensors() | {'conv2.weight': np.zeros([3])}
    refused(extra, 'conv2.weight has no counterpart', 'another model')
    renamed = {n.replace('bn.running_mean', 'bn.mean'): v for n, v in tensors().items()}
    refused(renamed, 'bn.running_mean is missing', 'Did you mean bn.mean', '1 more')
    other = tensors() | {'conv.weight': np.zeros([4, 3, 3, 3]), 'fc.bias': np.zeros([9])}
    refused(other, 'another model: conv.weight is 3x3x3x4 and conv.kernel 3x3x2x4', '1 more')


def test_another_number_of_classes_says_what_to_do():
    refused(tensors(classes=5), 'fc.weight is 4x5 and fc.kernel 4x3', '--leave_out=fc', 'classes')


def test_a_layer_can_be_left_out():
    model, given = Model(), tensors(classes=5)
    kernel = model.fc.kernel.numpy()
    filled = fill(model, LAYOUTS, given, leave_out=['fc'])
    np.testing.assert_array_equal(model.fc.kernel, kernel)
    np.testing.assert_array_equal(model.conv.bias, given['conv.bias'])
    assert filled.kept == ['fc.bias', 'fc.kernel']
    assert 'fc.weight' in filled.ignored
    headless = without(without(tensors(), 'fc.weight'), 'fc.bias')
    assert fill(Model(), LAYOUTS, headless, leave_out=['fc']).kept == filled.kept
    refused(given, '--leave_out=f: no layer', leave_out=['f'])
    refused(given, '--leave_out=con: ', 'Did you mean conv', leave_out=['con'])


def test_every_converter_belongs_to_a_model():
    assert {*registry.names('converters')} <= {*registry.names('models')}
    for name in registry.names('converters'):
        layouts = registry.get('converters', name)()
        assert layouts and all(isinstance(table, Layout) for table in layouts.values())


def test_a_checkpoint_is_written_with_its_folder(tmp_path):
    model = Model()
    write(model, str(tmp_path / 'new' / 'weights'), 'generator')
    found = dict(tf.train.list_variables(str(tmp_path / 'new' / 'weights')))
    assert found['task/generator/fc/kernel/.ATTRIBUTES/VARIABLE_VALUE'] == [4, 3]
    (tmp_path / 'file').write_text('')
    with pytest.raises(StorageError, match='weights cannot be written'):
        write(model, str(tmp_path / 'file' / 'weights'))
