import functools
import math
import re

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden import registry
from garden.core.errors import UserError
from garden.layers.conv_norm import ConvNorm
from garden.models.regnet import Block
from garden.models.regnet_design import REGNETX, REGNETY, Design, Stage

# Of the published configurations and their complexity tables (pycls, configs/dds_baselines).
STAGES = {
    'x': {
        '200mf': ((1, 1, 4, 7), (24, 56, 152, 368)),
        '400mf': ((1, 2, 7, 12), (32, 64, 160, 384)),
        '600mf': ((1, 3, 5, 7), (48, 96, 240, 528)),
        '800mf': ((1, 3, 7, 5), (64, 128, 288, 672)),
        '1.6gf': ((2, 4, 10, 2), (72, 168, 408, 912)),
        '3.2gf': ((2, 6, 15, 2), (96, 192, 432, 1008)),
        '4.0gf': ((2, 5, 14, 2), (80, 240, 560, 1360)),
        '6.4gf': ((2, 4, 10, 1), (168, 392, 784, 1624)),
        '8.0gf': ((2, 5, 15, 1), (80, 240, 720, 1920)),
        '12gf': ((2, 5, 11, 1), (224, 448, 896, 2240)),
        '16gf': ((2, 6, 13, 1), (256, 512, 896, 2048)),
        '32gf': ((2, 7, 13, 1), (336, 672, 1344, 2520)),
    },
    'y': {
        '200mf': ((1, 1, 4, 7), (24, 56, 152, 368)),
        '400mf': ((1, 3, 6, 6), (48, 104, 208, 440)),
        '600mf': ((1, 3, 7, 4), (48, 112, 256, 608)),
        '800mf': ((1, 3, 8, 2), (64, 128, 320, 768)),
        '1.6gf': ((2, 6, 17, 2), (48, 120, 336, 888)),
        '3.2gf': ((2, 5, 13, 1), (72, 216, 576, 1512)),
        '4.0gf': ((2, 6, 12, 2), (128, 192, 512, 1088)),
        '6.4gf': ((2, 7, 14, 2), (144, 288, 576, 1296)),
        '8.0gf': ((2, 4, 10, 1), (168, 448, 896, 2016)),
        '12gf': ((2, 5, 11, 1), (224, 448, 896, 2240)),
        '16gf': ((2, 4, 11, 1), (224, 448, 1232, 3024)),
        '32gf': ((2, 5, 12, 1), (232, 696, 1392, 3712)),
    },
}
# Parameters; groups of each stage; widths of the squeeze-excitations in first and later blocks.
SMALL = {
    '200mf': (3162996, (3, 7, 19, 46), ((8,), (6,), (14, 38), (38, 92))),
    '400mf': (4344144, (6, 13, 26, 55), ((8,), (12, 26), (26, 52), (52, 110))),
    '600mf': (6055160, (3, 7, 16, 38), ((8,), (12, 28), (28, 64), (64, 152))),
    '800mf': (6263168, (4, 8, 20, 48), ((8,), (16, 32), (32, 80), (80, 192))),
}
MINI = {
    'variant': None,
    'num_classes': 10,
    'depth': 4,
    'w_0': 24,
    'w_a': 16.0,
    'w_m': 2.0,
    'group_width': 8,
    'stem_width': 16,
}


@functools.cache
def published(variant):
    """Returns the RegNetY of this name; the tests that share it leave it as it is."""
    keras.utils.set_random_seed(0)
    return registry.get('models', 'regnety')(variant=variant)


def mini(**arguments):
    return registry.get('models', 'regnety')(**{**MINI, **arguments})


def layer(model, path):
    """Returns the layer of this name, e.g. s1.b1.conv1.bn."""
    return functools.reduce(getattr, path.split('.'), model)


def blocks(model):
    """Returns the blocks of each stage."""
    depth = range(1, 100)
    stages = [getattr(model, f's{i}') for i in range(1, 5)]
    return [[getattr(s, f'b{j}') for j in depth if hasattr(s, f'b{j}')] for s in stages]


def size(variables):
    return sum(math.prod(variable.shape) for variable in variables)


@pytest.mark.parametrize(
    ('family', 'variant'), [(family, name) for family in STAGES for name in STAGES[family]]
)
def test_the_generator_gives_the_published_depths_and_widths(family, variant):
    stages = {'x': REGNETX, 'y': REGNETY}[family][variant].stages()
    depths, widths = STAGES[family][variant]
    assert tuple(stage.depth for stage in stages) == depths
    assert tuple(stage.width for stage in stages) == widths
    assert all(stage.width % stage.groups == 0 for stage in stages)


def test_a_group_is_never_wider_than_the_stage():
    assert REGNETX['8.0gf'].stages()[0].groups == 1


@pytest.mark.parametrize(
    ('design', 'widths'),
    [
        (REGNETX['400mf'], (32, 64, 160, 400)),
        (REGNETY['800mf'], (64, 144, 320, 784)),
        (REGNETY['8.0gf'], (224, 448, 896, 2016)),
        (REGNETY['400mf'], (48, 104, 208, 440)),
    ],
)
def test_torchvision_rounds_widths_in_its_own_way(design, widths):
    assert tuple(stage.width for stage in design.stages('torchvision')) == widths


@pytest.mark.parametrize(
    ('family', 'variant', 'parameters'),
    [
        ('regnetx', '400mf', 5495976),
        ('regnety', '800mf', 6432512),
        pytest.param('regnety', '8.0gf', 39381472, marks=pytest.mark.slow),
    ],
)
def test_torchvisions_widths_give_its_parameter_counts(family, variant, parameters):
    model = registry.get('models', family)(variant, width_rounding='torchvision')
    assert size(model.trainable_variables) == parameters


@pytest.mark.slow
@pytest.mark.parametrize(
    ('variant', 'parameters'),
    # Of timm's networks regnety_640, _1280 and _2560; the second is in torchvision, too.
    [('64gf', 281378786), ('128gf', 644812894), ('256gf', 1282601138)],
)
def test_the_largest_networks_have_the_published_parameter_counts(variant, parameters):
    with tf.Graph().as_default():  # Whose variables take no memory.
        model = registry.get('models', 'regnety')(variant)
        assert size(model.trainable_variables) == parameters
    assert REGNETY[variant].stages('torchvision') == REGNETY[variant].stages()


def test_a_bottleneck_ratio_leaves_the_groups_whole():
    for ratio in (0.5, 2.0, 4.0):
        for stage in Design(8, 24, 24.0, 2.5, 16, ratio).stages():
            assert stage.bottleneck_width % stage.groups == 0
            assert stage.bottleneck_width == stage.width * ratio


@pytest.mark.parametrize('variant', SMALL)
def test_small_networks_are_the_published_ones(variant):
    model = published(variant)
    parameters, groups, se_widths = SMALL[variant]
    assert size(model.trainable_variables) == parameters
    for stage, stage_groups, stage_se in zip(blocks(model), groups, se_widths, strict=True):
        assert {block.conv2.conv.groups for block in stage} == {stage_groups}
        assert tuple(dict.fromkeys(block.se.fc1.filters for block in stage)) == stage_se


def test_statistics_are_kept_beside_the_parameters():
    model = published('400mf')
    assert model.count_params() - size(model.trainable_variables) == 27152


def test_layers_have_the_names_that_converters_expect():
    model = published('400mf')
    names = {variable.name for variable in model.variables}
    assert {
        'stem/conv/kernel:0',
        'stem/bn/moving_variance:0',
        's1/b1/conv1/conv/kernel:0',
        's2/b3/conv2/bn/gamma:0',
        's2/b1/downsample/bn/beta:0',
        's4/b6/se/fc2/bias:0',
        'head/fc/kernel:0',
    } <= names
    norms = [m for m in model.submodules if isinstance(m, keras.layers.BatchNormalization)]
    # A checkpoint of timm has one more entry for each normalisation, its count of batches.
    assert len(names) + len(norms) == 384
    assert layer(model, 's3.b2.conv2.conv').kernel.shape == (3, 3, 8, 208)


def test_shortcuts_are_projected_only_where_the_shape_changes():
    for stage in blocks(published('400mf')):
        assert [block.downsample is not None for block in stage] == [True] + [False] * (
            len(stage) - 1
        )


def test_normalisation_is_that_of_pycls():
    model = published('400mf')
    norms = [m for m in model.submodules if isinstance(m, keras.layers.BatchNormalization)]
    assert {(n.epsilon, n.momentum, n.synchronized) for n in norms} == {(1e-5, 0.9, False)}
    synchronised = mini(synchronized=True)
    norms = [m for m in synchronised.submodules if isinstance(m, keras.layers.BatchNormalization)]
    assert norms and all(norm.synchronized for norm in norms)


# What an earlier port to TensorFlow did otherwise, at a cost of two to four points of accuracy.


def test_depths_and_reductions_are_not_those_of_the_earlier_port():
    """It had three blocks in the third stage, and reductions of a quarter of the width leaving."""
    model = published('400mf')
    assert [len(stage) for stage in blocks(model)] == [1, 3, 6, 6]
    entering = 32
    for stage, width in zip(blocks(model), (48, 104, 208, 440), strict=True):
        for block in stage:
            assert block.se.fc1.filters == round(0.25 * entering)
            entering = width


@pytest.mark.parametrize('side', [32, 33])
def test_padding_is_symmetric_at_every_stride(side):
    """A kernel whose middle alone is 1 keeps every other pixel, from the first on."""
    model = mini(stem_width=8, group_width=8)
    for conv in (model.stem.conv, model.s1.b1.conv2.conv, model.s2.b1.conv2.conv):
        kernel = np.zeros(conv.kernel.shape, np.float32)
        kernel[1, 1] = 1
        conv.kernel.assign(kernel)
        channels = kernel.shape[2] * conv.groups
        inputs = tf.random.stateless_normal([1, side, side, channels], [0, 1])
        by_group = tf.reshape(inputs[:, ::2, ::2], [1, *[(side + 1) // 2] * 2, conv.groups, -1])
        wanted = tf.repeat(tf.reduce_sum(by_group, -1), kernel.shape[3] // conv.groups, -1)
        np.testing.assert_allclose(conv(inputs), wanted, atol=1e-5)


def test_images_enter_as_they_are():
    """Nothing is resized, rescaled or rounded inside: that is the data loader's."""
    model = mini(stem_width=3)
    kernel = np.zeros([3, 3, 3, 3], np.float32)
    kernel[1, 1] = np.eye(3)
    model.stem.conv.kernel.assign(kernel)
    images = tf.random.stateless_uniform([1, 50, 70, 3], [0, 1]) * 1e-3
    wanted = images[:, ::2, ::2] / math.sqrt(1 + 1e-5)
    np.testing.assert_allclose(model.endpoints(images)['1'], wanted, rtol=1e-5)


def test_a_stride_counts_where_widths_are_equal():
    stage = Stage(depth=1, width=16, bottleneck_width=16, groups=2)
    block = Block(stage, 16, 2, 0.25, ConvNorm, name='b1')
    assert block(tf.zeros([1, 8, 8, 16])).shape == [1, 4, 4, 16]
    assert block.downsample is not None


def test_each_replica_normalises_by_its_own_images(two_replicas):
    """As the published networks were trained: 128 images on each of eight devices."""
    with two_replicas.scope():
        model = mini()
    halves = [tf.random.stateless_normal([2, 32, 32, 3], [0, i], mean=i) for i in range(2)]
    images = two_replicas.experimental_distribute_values_from_function(
        lambda context: halves[context.replica_id_in_sync_group]
    )

    @tf.function
    def forward():
        return two_replicas.run(lambda images: model(images, training=True), [images])

    found = two_replicas.experimental_local_results(forward())
    for logits, half in zip(found, halves, strict=True):
        np.testing.assert_allclose(logits, model(half, training=True), atol=1e-5)


def test_no_part_is_compiled_by_xla_or_padded_by_a_list():
    """Either would make training on a CPU hundreds of times slower, or fail."""
    model = mini()

    @tf.function
    def gradients(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(images, training=True))
        return tape.gradient(loss, model.trainable_variables)

    graph = gradients.get_concrete_function(tf.TensorSpec([2, 32, 32, 3])).graph
    text = str(graph.as_graph_def())
    assert 'XlaMustCompile' not in text
    assert 'EXPLICIT' not in text


@pytest.mark.parametrize(
    ('path', 'fan_out'),
    [
        ('s4.b2.conv1.conv', 440),
        ('s4.b2.conv2.conv', 9 * 440),  # Not divided by its 55 groups.
        ('s4.b1.downsample.conv', 440),
        ('s4.b2.se.fc1', 110),
        ('s4.b2.se.fc2', 440),
    ],
)
def test_kernels_start_at_the_published_scale(path, fan_out):
    kernel = layer(published('400mf'), path).kernel.numpy()
    deviation = math.sqrt(2 / fan_out)
    assert kernel.std() == pytest.approx(deviation, rel=0.03)
    assert abs(kernel.mean()) < 0.03 * deviation
    assert np.abs(kernel).max() > 3 * deviation  # Not truncated.


def test_classifier_scales_and_biases_start_as_published():
    model = published('400mf')
    kernel, bias = model.head.fc.get_weights()
    assert kernel.std() == pytest.approx(0.01, rel=0.01)
    assert not bias.any()
    for norm in ('stem.bn', 's4.b6.conv3.bn'):
        assert (layer(model, norm).gamma.numpy() == 1).all()
    for path, fan_in in (('s4.b6.se.fc1', 440), ('s4.b6.se.fc2', 110)):
        bias = layer(model, path).bias.numpy()
        assert 0.9 < np.abs(bias).max() * math.sqrt(fan_in) <= 1
        assert bias.std() * math.sqrt(3 * fan_in) == pytest.approx(1, rel=0.15)


def test_layers_of_one_shape_start_different():
    model = published('400mf')
    first, second = (layer(model, f's4.b{j}.conv1.conv').kernel.numpy() for j in (2, 3))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.05


def test_maps_halve_from_stage_to_stage():
    model = published('400mf')
    traced = tf.function(model.endpoints).get_concrete_function(tf.TensorSpec([2, 224, 224, 3]))
    shapes = {level: tuple(m.shape) for level, m in traced.structured_outputs.items()}
    assert shapes == {
        '1': (2, 112, 112, 32),
        '2': (2, 56, 56, 48),
        '3': (2, 28, 28, 104),
        '4': (2, 14, 14, 208),
        '5': (2, 7, 7, 440),
    }


@pytest.mark.parametrize(('stem_stride', 'side'), [(1, 32), (2, 16)])
def test_a_design_of_ones_own_takes_images_of_any_size(stem_stride, side):
    model = mini(stem_stride=stem_stride, input_channels=1)
    assert model(tf.zeros([2, 32, 32, 1])).shape == [2, 10]
    assert model.endpoints(tf.zeros([1, 32, 32, 1]))['1'].shape == [1, side, side, 16]
    assert model(tf.zeros([3, 45, 38, 1])).shape == [3, 10]


def test_a_variant_can_be_changed_in_one_coordinate():
    model = registry.get('models', 'regnetx')('200mf', depth=10, num_classes=2)
    assert [len(stage) for stage in blocks(model)] == [1, 1, 4, 4]


def test_regnetx_has_no_squeeze_excitation():
    model = registry.get('models', 'regnetx')(**MINI)
    assert model.name == 'regnetx'
    assert not [v.name for v in model.variables if '/se/' in v.name]
    assert [v.name for v in mini().variables if '/se/' in v.name]


def test_training_overfits_a_few_images():
    keras.utils.set_random_seed(0)
    model = mini()
    images = tf.random.stateless_normal([32, 32, 32, 3], [0, 1])
    labels = tf.range(32) % 10
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    for _ in range(60):
        loss = step()
    assert loss < 0.05
    # With the moving statistics, too.
    right = tf.equal(tf.argmax(model(images), -1, tf.int32), labels)
    assert tf.reduce_mean(tf.cast(right, tf.float32)) > 0.95


@pytest.mark.parametrize('policy', ['mixed_bfloat16', 'mixed_float16'])
def test_a_mixed_precision_step_is_finite(policy):
    keras.mixed_precision.set_global_policy(policy)
    model = mini()
    images = tf.random.stateless_normal([4, 32, 32, 3], [0, 1])

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = model(images, training=True)
            loss = tf.reduce_mean(tf.nn.log_softmax(logits)[:, 0])
        return logits, tape.gradient(loss, model.trainable_variables)

    logits, gradients = step()
    assert logits.dtype == tf.float32
    assert model.s1.b1.conv1.conv.compute_dtype == policy.removeprefix('mixed_')
    assert {v.dtype for v in model.variables} == {tf.float32}
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_a_checkpoint_restores_every_variable(tmp_path):
    images = tf.random.stateless_normal([2, 32, 32, 3], [0, 1])
    trained, fresh = mini(), mini()
    trained(images, training=True)  # Moves the statistics.
    assert not np.allclose(trained(images), fresh(images))
    path = tf.train.Checkpoint(model=trained).write(str(tmp_path / 'weights'))
    tf.train.Checkpoint(model=fresh).read(path).assert_consumed()
    np.testing.assert_array_equal(fresh(images), trained(images))


def test_replicas_compute_what_one_device_computes(two_replicas):
    with two_replicas.scope():
        model = mini()
    images = tf.random.stateless_normal([2, 32, 32, 3], [0, 1])

    @tf.function
    def forward():
        return two_replicas.run(model, [images])

    wanted = model(images)
    for logits in two_replicas.experimental_local_results(forward()):
        np.testing.assert_allclose(logits, wanted, atol=1e-6)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'variant': '401mf'}, r"models\.regnety has no variant '401mf'. Did you mean 400mf"),
        ({'variant': None, 'depth': 4}, r'give w_0, w_a, w_m, group_width too, or a variant'),
        ({'w_0': 20}, 'w_0 a positive multiple of 8'),
        ({'w_m': 1.0}, 'w_m more than 1'),
        ({'width_rounding': 'up'}, "no width_rounding 'up': use pycls or torchvision"),
    ],
)
def test_impossible_designs_get_one_line(arguments, message):
    with pytest.raises(UserError, match=message) as error:
        registry.get('models', 'regnety')(**arguments)
    assert not re.search('\n', str(error.value))
