import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from numpy.lib.stride_tricks import sliding_window_view

from garden.layers import grouped_conv
from garden.layers.grouped_conv import GroupedConv2D, choose_implementation, grouped_conv2d

# Groups, channels, filters: ordinary, two, odd numbers of groups, one channel for each group.
SHAPES = {1: (6, 4), 2: (8, 6), 13: (26, 26), 55: (110, 110), 7: (7, 14)}
IMPLEMENTATIONS = ('auto', 'native', 'split', 'im2col')


@pytest.fixture
def no_accelerator():
    if len(tf.config.list_logical_devices()) > len(tf.config.list_logical_devices('CPU')):
        pytest.skip('says what happens on a CPU')


def example(groups, size=3):
    """Returns an odd-sided map and a kernel, float64."""
    channels, filters = SHAPES[groups]
    random = np.random.default_rng(groups)
    inputs = random.normal(size=(2, 9, 7, channels))
    return inputs, random.normal(size=(size, size, channels // groups, filters))


def reference(inputs, kernel, strides, weights=None):
    """Returns outputs, or the gradients of sum(outputs * weights), by the definition, in NumPy."""
    size, _, width, filters = kernel.shape
    _, height, breadth, channels = inputs.shape
    groups, pad = channels // width, size // 2
    padded = np.pad(inputs, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
    views = sliding_window_view(padded, (size, size), (1, 2))[:, ::strides, ::strides]
    views = views.reshape(*views.shape[:3], groups, width, size, size)
    by_group = kernel.reshape(size, size, width, groups, -1)
    if weights is None:
        outputs = np.einsum('nhwgcij,ijcgo->nhwgo', views, by_group)
        return outputs.reshape(*views.shape[:3], filters)
    weights = weights.reshape(*views.shape[:3], groups, -1)
    to_kernel = np.einsum('nhwgcij,nhwgo->ijcgo', views, weights).reshape(kernel.shape)
    to_padded = np.zeros_like(padded)
    for i, j in np.ndindex(size, size):
        rows = slice(i, i + strides * views.shape[1], strides)
        cols = slice(j, j + strides * views.shape[2], strides)
        part = np.einsum('nhwgo,cgo->nhwgc', weights, by_group[i, j])
        to_padded[:, rows, cols] += part.reshape(*part.shape[:3], channels)
    return to_padded[:, pad : pad + height, pad : pad + breadth], to_kernel


def outputs_and_gradients(inputs, kernel, strides, implementation, dtype, weights):
    """Returns the three of one implementation, compiled, followed by what graphs like to fuse."""

    @tf.function
    def run(inputs, kernel):
        with tf.GradientTape() as tape:
            tape.watch([inputs, kernel])
            outputs = grouped_conv2d(inputs, kernel, strides, implementation)
            loss = tf.reduce_sum(outputs * tf.cast(weights, dtype))
        return outputs, *tape.gradient(loss, [inputs, kernel])

    return [result.numpy() for result in run(tf.cast(inputs, dtype), tf.cast(kernel, dtype))]


def assert_near(found, wanted, tolerance):
    np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * np.abs(wanted).max())


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
@pytest.mark.parametrize('strides', [1, 2])
@pytest.mark.parametrize('groups', SHAPES)
def test_every_implementation_is_the_same_function(groups, strides, implementation):
    inputs, kernel = example(groups)
    wanted = reference(inputs, kernel, strides)
    weights = np.random.default_rng(0).normal(size=wanted.shape)
    found = outputs_and_gradients(inputs, kernel, strides, implementation, tf.float32, weights)
    gradients = reference(inputs, kernel, strides, weights)
    for result, expected in zip(found, (wanted, *gradients), strict=True):
        assert_near(result, expected, 2e-6)


@pytest.mark.parametrize(('dtype', 'tolerance'), [('float64', 1e-12), ('float16', 5e-3)])
def test_gradients_exist_in_the_precisions_without_a_native_kernel(dtype, tolerance):
    inputs, kernel = example(13)
    weights = np.random.default_rng(0).normal(size=(2, 5, 4, 26))
    found = outputs_and_gradients(inputs, kernel, 2, 'auto', dtype, weights)
    gradients = reference(inputs, kernel, 2, weights)
    for result, expected in zip(found, (reference(inputs, kernel, 2), *gradients), strict=True):
        assert_near(result, expected, tolerance)


@pytest.mark.parametrize('training', [False, True])
@pytest.mark.parametrize(('dtype', 'tolerance'), [('float32', 2e-6), ('float16', 5e-3)])
def test_a_pointwise_convolution_is_the_same_function_in_training(
    no_accelerator, dtype, tolerance, training
):
    generator = np.random.default_rng(0)
    inputs, kernel, weights = (
        generator.normal(size=size) for size in ([2, 5, 4, 6], [1, 1, 6, 8], [2, 5, 4, 8])
    )
    layer = GroupedConv2D(8, 1, dtype=dtype)
    layer.build([None, None, None, 6])
    layer.set_weights([kernel])

    @tf.function
    def run(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=training)
            loss = tf.reduce_sum(outputs * tf.cast(weights, dtype))
        return outputs, *tape.gradient(loss, [inputs, layer.kernel])

    wanted = (reference(inputs, kernel, 1), *reference(inputs, kernel, 1, weights))
    for result, expected in zip(run(tf.cast(inputs, dtype)), wanted, strict=True):
        assert_near(result, expected, tolerance)


def test_a_pointwise_convolution_is_a_matrix_product_where_that_is_faster(no_accelerator):
    def products(layer, jit_compile=False):
        training = tf.function(lambda inputs: layer(inputs, training=True), jit_compile=jit_compile)
        found = training.get_concrete_function(tf.TensorSpec([2, 8, 8, 26])).graph
        return {op.type for op in found.get_operations()} & {'Conv2D', 'MatMul'}

    layer = GroupedConv2D(8, 1)
    assert products(layer) == {'MatMul'}
    assert groups_in(layer) == [1]  # Without a gradient, it is fused with its normalisation.
    assert products(layer, jit_compile=True) == {'Conv2D'}
    assert products(GroupedConv2D(8, 1, implementation='native')) == {'Conv2D'}
    assert products(GroupedConv2D(8, 1, strides=2)) == {'Conv2D'}
    with grouped_conv.prefer('split'):
        assert products(layer) == {'Conv2D'}


def test_padding_is_symmetric_where_same_is_not():
    inputs, kernel = example(1)
    inputs = inputs[:, :8, :6]
    ours = grouped_conv2d(inputs, kernel, 2).numpy()
    same = tf.nn.conv2d(inputs, kernel, 2, 'SAME').numpy()
    assert ours.shape == same.shape
    assert np.abs(ours - same).max() > 1
    assert_near(ours, reference(inputs, kernel, 2), 1e-12)


def test_the_probe_tells_which_precisions_have_gradients(no_accelerator):
    for dtype in (tf.float16, tf.float64):
        assert choose_implementation(tf.zeros([1, 4, 4, 8], dtype)) == 'split'


def test_the_probe_works_while_functions_run_eagerly(no_accelerator):
    wanted = choose_implementation(tf.zeros([1, 4, 4, 8]))
    grouped_conv._native_works.cache_clear()
    tf.config.run_functions_eagerly(True)
    try:
        assert choose_implementation(tf.zeros([1, 4, 4, 8])) == wanted
    finally:
        tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize(('side', 'wanted'), [(14, 'im2col'), (56, 'split'), (None, 'split')])
def test_xla_on_a_cpu_never_sees_the_native_kernel(no_accelerator, side, wanted):
    chosen = []

    @tf.function(jit_compile=True)
    def compiled(inputs):
        chosen.append(choose_implementation(inputs))
        return inputs

    compiled.get_concrete_function(tf.TensorSpec([1, side, side, 8]))
    assert chosen == [wanted]


def test_a_tpu_gets_the_native_kernel_and_this_machine_is_not_tried(monkeypatch):
    def tried(dtype):
        raise AssertionError('the scope of a TPU is no place for a trial on the CPU')

    monkeypatch.setattr(grouped_conv, '_native_works', tried)
    strategy = tf.distribute.OneDeviceStrategy('/cpu:0')
    devices = ('/job:worker/replica:0/task:0/device:TPU:0',)
    monkeypatch.setattr(type(strategy.extended), 'worker_devices', devices)
    with strategy.scope():
        assert choose_implementation(tf.zeros([1, 14, 14, 8])) == 'native'
        assert strategy.run(lambda: choose_implementation(tf.zeros([1, 14, 14, 8]))) == 'native'


@pytest.mark.slow
def test_a_cpu_without_onednn_can_train():
    program = """
import numpy as np
import tensorflow as tf
from garden.layers.conv_norm import ConvNorm
from garden.layers.grouped_conv import GroupedConv2D, choose_implementation, grouped_conv2d

def gradients(inputs, kernel, bias):
    with tf.GradientTape() as tape:
        tape.watch([inputs, kernel])
        outputs = tf.nn.relu(tf.nn.bias_add(grouped_conv2d(inputs, kernel, 2), bias))
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32))
    return tape.gradient(loss, [inputs, kernel])

inputs = tf.random.stateless_normal([2, 8, 8, 8], [1, 2])
kernel = tf.random.stateless_normal([3, 3, 2, 8], [3, 4])
for dtype in ('float32', 'float64', 'float16', 'bfloat16'):
    arguments = [tf.cast(x, dtype) for x in (inputs, kernel, tf.zeros([8]))]
    for found, wanted in zip(tf.function(gradients)(*arguments), gradients(*arguments)):
        assert found.dtype == dtype and np.isfinite(np.asarray(found, 'float64')).all()
        np.testing.assert_allclose(np.asarray(found, 'float64'), np.asarray(wanted, 'float64'))
unit = ConvNorm(8, 3, groups=4)  # Grappler fuses its three ops for inference.
np.testing.assert_allclose(tf.function(unit)(inputs), unit(inputs), atol=1e-5)
layer = GroupedConv2D(8, 3, groups=4, use_bias=True, implementation='native')
try:
    tf.function(lambda x: tf.nn.relu(layer(x)))(inputs)
    print('native works')
except tf.errors.OpError as error:
    print('native fails')
print(choose_implementation(inputs))
"""
    environment = {
        **os.environ,
        'TF_ENABLE_ONEDNN_OPTS': '0',
        'PYTHONPATH': os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, '-c', program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    # The second line is why there is a choice at all.
    assert done.stdout.splitlines() == ['native fails', 'split'], done.stderr


def traced_text(layer):
    function = tf.function(layer).get_concrete_function(tf.TensorSpec([2, 8, 8, 26]))
    return str(function.graph.as_graph_def())


def test_the_layer_stays_out_of_xla():
    assert '_XlaMustCompile' in traced_text(keras.layers.Conv2D(26, 3, groups=13))
    assert '_XlaMustCompile' not in traced_text(GroupedConv2D(26, 3, groups=13))


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_no_op_has_a_list_of_paddings(implementation):
    """On a CPU such a convolution has no gradient, whatever the library."""
    text = traced_text(GroupedConv2D(26, 3, groups=13, strides=2, implementation=implementation))
    assert 'EXPLICIT' not in text
    assert ('"VALID"' in text) == (implementation != 'im2col')


def test_no_copy_is_made_to_pad_where_the_op_pads_alike():
    assert '"Pad' not in traced_text(GroupedConv2D(26, 3, groups=13))
    assert '"Pad"' in traced_text(GroupedConv2D(26, 3, groups=13, strides=2))


def groups_in(layer):
    """Returns the groups of the convolutions that are traced for a layer."""
    function = tf.function(layer).get_concrete_function(tf.TensorSpec([2, 8, 8, 26]))
    convolutions = [op for op in function.graph.get_operations() if op.type == 'Conv2D']
    return [op.inputs[0].shape[-1] // op.inputs[1].shape[2] for op in convolutions]


def test_a_context_prefers_an_implementation(no_accelerator):
    layer = GroupedConv2D(26, 3, groups=13)
    with grouped_conv.prefer('split'):
        assert groups_in(layer) == [1] * 13
        assert groups_in(GroupedConv2D(26, 3, groups=13, implementation='native')) == [13]
        with grouped_conv.prefer('native'):
            assert groups_in(layer) == [13]
        assert groups_in(layer) == [1] * 13
    assert groups_in(layer) == ([13] if choose_implementation(tf.zeros([1])) == 'native' else [1])
    with pytest.raises(ValueError, match="got 'spilt'"), grouped_conv.prefer('spilt'):
        pass


def test_the_layer_is_the_function_and_its_bias():
    inputs, kernel = example(2)
    layer = GroupedConv2D(6, 3, groups=2, strides=2, use_bias=True, dtype='float64')
    assert layer.compute_output_shape([None, 9, None, 8]).as_list() == [None, 5, None, 6]
    layer.build([None, None, None, 8])
    layer.set_weights([kernel, np.arange(6.0)])
    assert_near(layer(inputs), reference(inputs, kernel, 2) + np.arange(6.0), 1e-12)


def test_a_layer_can_be_made_again_from_its_configuration():
    layer = GroupedConv2D(
        6,
        3,
        groups=2,
        strides=2,
        use_bias=True,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.5),
        implementation='split',
        name='middle',
        trainable=False,
    )
    config = layer.get_config()
    again = keras.layers.deserialize(keras.layers.serialize(layer))
    assert again.get_config() == config
    assert (config['groups'], config['implementation'], config['trainable']) == (2, 'split', False)


@pytest.mark.parametrize('policy', ['mixed_bfloat16', 'mixed_float16'])
def test_mixed_precision_computes_low_and_keeps_float32_weights(policy):
    inputs, _ = example(13)
    layer = GroupedConv2D(26, 3, groups=13, dtype=policy)

    @tf.function
    def run(inputs):
        with tf.GradientTape() as tape:
            outputs = layer(inputs)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
        return outputs, tape.gradient(loss, layer.kernel)

    outputs, gradient = run(tf.cast(inputs, tf.float32))
    assert outputs.dtype == layer.compute_dtype
    assert layer.kernel.dtype == gradient.dtype == tf.float32
    assert_near(tf.cast(outputs, tf.float64), reference(inputs, layer.kernel.numpy(), 1), 2e-2)
    assert np.isfinite(gradient).all()


def test_the_probe_may_come_first_inside_a_replica(two_replicas):
    grouped_conv._native_works.cache_clear()
    with two_replicas.scope():
        layer = GroupedConv2D(26, 3, groups=13)
    inputs = tf.random.stateless_normal([2, 8, 8, 26], [1, 2])

    @tf.function
    def forward():
        return two_replicas.run(layer, [inputs])

    found = two_replicas.experimental_local_results(forward())
    assert len(found) == 2
    for outputs in found:
        wanted = reference(inputs.numpy().astype('float64'), layer.kernel.numpy(), 1)
        assert_near(outputs, wanted, 2e-6)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'kernel_size': 2}, 'odd'),
        ({'groups': 4}, '6 filters cannot be divided into 4 groups'),
        ({'implementation': 'fast'}, "got 'fast'"),
    ],
)
def test_impossible_layers_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GroupedConv2D(**{'filters': 6, 'kernel_size': 3, **arguments})


def test_channels_that_the_groups_do_not_divide_are_refused():
    with pytest.raises(ValueError, match='7 channels cannot be divided into 2 groups'):
        GroupedConv2D(6, 3, groups=2)(tf.zeros([1, 4, 4, 7]))
