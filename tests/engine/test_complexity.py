import pytest
import tensorflow as tf
import tf_keras as keras

from garden import registry
from garden.engine.complexity import Row, complexity

# Parameters, multiply-adds and activations at 224x224 (pycls, dev/model_complexity.json).
PUBLISHED = {
    ('regnetx', '200mf'): (2684792, 199040872, 2164056),
    ('regnetx', '400mf'): (5157512, 397678568, 3143272),
    ('regnetx', '600mf'): (6196040, 600891112, 3975096),
    ('regnetx', '800mf'): (7259656, 799700712, 5148744),
    ('regnetx', '1.6gf'): (9190136, 1602850792, 7933512),
    ('regnetx', '3.2gf'): (15296552, 3176622952, 11367432),
    ('regnetx', '4.0gf'): (22118248, 3964499816, 12201608),
    ('regnetx', '6.4gf'): (26209256, 6460292264, 16369744),
    ('regnetx', '8.0gf'): (39572648, 7995133416, 14059688),
    ('regnetx', '12gf'): (46106056, 12086679016, 21366568),
    ('regnetx', '16gf'): (54278536, 15940756456, 25515496),
    ('regnetx', '32gf'): (107811560, 31735930792, 36302160),
    ('regnety', '200mf'): (3162996, 199519076, 2168052),
    ('regnety', '400mf'): (4344144, 401849056, 3892496),
    ('regnety', '600mf'): (6055160, 601227608, 4334296),
    ('regnety', '800mf'): (6263168, 797183328, 5249888),
    ('regnety', '1.6gf'): (11202430, 1612087326, 8044814),
    ('regnety', '3.2gf'): (19436338, 3176496162, 11263418),
    ('regnety', '4.0gf'): (20646656, 3973301344, 12287200),
    ('regnety', '6.4gf'): (30583252, 6355221876, 16407188),
    ('regnety', '8.0gf'): (39180068, 7963074196, 17968916),
    ('regnety', '12gf'): (51822544, 12092395504, 21384496),
    ('regnety', '16gf'): (83590140, 15911534044, 23041228),
    ('regnety', '32gf'): (145046770, 32279583362, 30261570),
}
FAST = [('regnety', variant) for variant in ('200mf', '400mf', '600mf', '800mf')]
IMAGE = tf.TensorSpec([None, 224, 224, 3])
EINSUM = keras.layers.EinsumDense('abc,cde->abde', (None, 2, 4), bias_axes='de')


@pytest.mark.parametrize(
    ('family', 'variant'),
    [pytest.param(*key, marks=[] if key in FAST else pytest.mark.slow) for key in PUBLISHED],
)
def test_every_regnet_costs_what_was_published(family, variant):
    found = complexity(registry.get('models', family)(variant), IMAGE)
    assert (found.parameters, found.multiply_adds, found.activations) == PUBLISHED[family, variant]
    assert not found.uncertain


def mini(**arguments):
    """Returns a network of three stages, 24, 48 and 96 wide, in groups of 8."""
    make = registry.get('models', 'regnety')
    design = {'depth': 4, 'w_0': 24, 'w_a': 16.0, 'w_m': 2.0, 'group_width': 8}
    return make(None, 10, **design, stem_width=16, **arguments)


def test_parts_are_stages():
    found = complexity(mini(), tf.TensorSpec([None, 32, 32, 3]))
    stem, s1, _, s3, head = found.rows
    outputs = 16 * 16 * 16
    assert stem == Row('stem', 27 * 16 + 32, 32, 27 * outputs, outputs, (1, 16, 16, 16))
    # 1x1 at full size, 3x3 in groups of 8, squeeze-excitation 4 wide, 1x1, shortcut.
    large, small = 16 * 16 * 24, 8 * 8 * 24
    assert s1 == Row(
        's1',
        16 * 24 + 72 * 24 + (24 + 1) * 4 + (4 + 1) * 24 + 24 * 24 + 16 * 24 + 4 * 48,
        4 * 48,
        16 * large + 72 * small + (24 + 1) * 4 + (4 + 1) * 24 + 24 * small + 16 * small,
        large + 3 * small + 4 + 24,
        (1, 8, 8, 24),
    )
    assert (s3.name, s3.output_shape) == ('s3', (1, 2, 2, 96))
    assert head == Row('head', 970, 0, 970, 10, (1, 10))
    parts = [row.name for row in complexity(mini(), tf.TensorSpec([1, 32, 32, 3]), depth=2).rows]
    assert [part for part in parts if part.startswith('s2')] == ['s2/b1', 's2/b2']


def test_the_way_in_which_groups_are_computed_changes_nothing():
    image = tf.TensorSpec([1, 32, 32, 3])
    native, split, im2col = (
        complexity(mini(implementation=name), image) for name in ('native', 'split', 'im2col')
    )
    assert native == split == im2col


def cost(layer, *shape):
    found = complexity(layer, tf.TensorSpec(shape))
    assert not found.uncertain
    return found.parameters, found.multiply_adds, found.activations


@pytest.mark.parametrize(
    ('layer', 'shape', 'parameters', 'multiply_adds', 'activations'),
    [
        (keras.layers.Dense(7), (3, 5), 42, 3 * (5 + 1) * 7, 21),
        (keras.layers.Dense(7), (3, 4, 5), 42, 12 * (5 + 1) * 7, 84),
        (keras.layers.Conv2D(4, 3), (2, 8, 8, 3), 112, 2 * 36 * 4 * (27 + 1), 288),
        (keras.layers.Conv2D(4, 3, 2, 'same', groups=2), (1, 8, 8, 6), 112, 64 * (27 + 1), 64),
        (keras.layers.Conv2D(4, 3, dilation_rate=2), (1, 8, 8, 3), 112, 64 * (27 + 1), 64),
        (keras.layers.DepthwiseConv2D(3, depth_multiplier=2), (1, 8, 8, 3), 60, 216 * 10, 216),
        (keras.layers.Conv2DTranspose(4, 3, 2), (1, 5, 5, 3), 112, 25 * 3 * 36 + 484, 484),
        (keras.layers.Conv3D(4, 3), (1, 5, 5, 5, 2), 220, 108 * (54 + 1), 108),
        (keras.layers.Conv3DTranspose(4, 2, 2), (1, 3, 3, 3, 2), 68, 27 * 64 + 864, 864),
        (keras.layers.Conv1D(4, 3), (1, 9, 5), 64, 28 * (15 + 1), 28),
        (EINSUM, (1, 3, 5), 48, 3 * (5 + 1) * 8, 24),
        (keras.layers.BatchNormalization(), (1, 4, 4, 3), 6, 0, 0),
    ],
    ids=lambda value: value.name if isinstance(value, keras.layers.Layer) else '',
)
def test_a_layer_costs_its_products_and_biases(
    layer, shape, parameters, multiply_adds, activations
):
    assert cost(layer, *shape) == (parameters, multiply_adds, activations)


def test_products_of_activations_cost_but_are_not_activations():
    attention = keras.layers.MultiHeadAttention(2, 4)
    _, multiply_adds, activations = cost(lambda x: attention(x, x), 1, 7, 8)
    projections = 4 * 7 * (8 + 1) * 8
    assert multiply_adds == projections + 2 * (2 * 7 * 7 * 4)
    assert activations == 4 * 7 * 8


def test_a_sum_is_no_bias():
    kernel = tf.Variable(tf.ones([5, 5]))
    offset = tf.Variable(tf.ones([5]))
    assert cost(lambda x: tf.matmul(x, kernel) + offset, 1, 5) == (30, 30, 5)
    assert cost(lambda x: tf.matmul(x, kernel) + x, 1, 5) == (25, 25, 5)
    assert cost(lambda x: tf.matmul(x, kernel) + tf.matmul(x, kernel), 1, 5) == (25, 50, 10)
    assert cost(lambda x: tf.nn.relu(tf.matmul(x, kernel)) + offset, 1, 5) == (30, 25, 5)


def test_what_leads_to_no_output_costs_nothing():
    kernel = tf.Variable(tf.ones([5, 5]))

    def forgetful(x):
        tf.matmul(x, kernel)
        return x

    assert cost(forgetful, 1, 5) == (25, 0, 0)


def test_low_precision_costs_the_same():
    layer = keras.layers.Conv2D(4, 3, dtype='mixed_bfloat16')
    assert cost(layer, 2, 8, 8, 3) == (112, 2 * 36 * 4 * (27 + 1), 288)


def test_parts_of_a_functional_model_are_its_layers():
    inputs = keras.Input([8, 8, 3])
    outputs = keras.layers.Conv2D(4, 3, name='first')(inputs)
    outputs = keras.layers.BatchNormalization(name='second')(outputs)
    outputs = keras.layers.Dense(2, name='third')(keras.layers.Flatten()(outputs))
    found = complexity(keras.Model(inputs, outputs), tf.TensorSpec([None, 8, 8, 3]))
    assert found.rows == (
        Row('first', 112, 0, 36 * 4 * 28, 144, (1, 6, 6, 4)),
        Row('second', 8, 8, 0, 0, (1, 6, 6, 4)),
        Row('third', 290, 0, 290, 2, (1, 2)),
    )


def test_frozen_and_unused_parameters_are_told_apart():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.used = keras.layers.Dense(3)
            self.frozen = keras.layers.Dense(3, trainable=False)
            self.spare = keras.layers.Dense(3)
            self.spare.build([None, 3])

        def call(self, x):
            return self.frozen(self.used(x))

    found = complexity(Model(), tf.TensorSpec([1, 3]))
    assert [(row.parameters, row.fixed_parameters) for row in found.rows] == [
        (12, 0),
        (0, 12),
        (12, 0),
    ]
    assert found.rows[-1].name == 'unused'


def test_called_functions_count_with_their_callers_scope():
    kernel = tf.Variable(tf.ones([5, 5]))
    inner = tf.function(lambda x: tf.matmul(x, kernel))

    def outer(x):
        with tf.name_scope('before'):
            x = inner(x)
        with tf.name_scope('after'):
            return tf.matmul(x, kernel)

    found = complexity(outer, tf.TensorSpec([1, 5]))
    assert found.rows == (
        Row('before', 25, 0, 25, 5, (1, 5)),
        Row('after', 0, 0, 25, 5, (1, 5)),
    )


def test_loops_count_as_often_as_they_are_known_to_run():
    kernel = tf.Variable(tf.ones([5, 5]))

    def loop(x, **limit):
        return tf.while_loop(
            lambda x: tf.reduce_sum(x) < 9, lambda x: [tf.matmul(x, kernel)], [x], **limit
        )[0]

    known = complexity(lambda x: loop(x, maximum_iterations=4), tf.TensorSpec([1, 5]))
    assert (known.multiply_adds, known.uncertain) == (100, ())
    unknown = complexity(loop, tf.TensorSpec([1, 5]))
    assert unknown.multiply_adds == 25
    assert len(unknown.uncertain) == 1


def test_an_unknown_size_is_reported():
    found = complexity(keras.layers.Conv2D(4, 3, name='conv'), tf.TensorSpec([1, None, 8, 3]))
    assert found.multiply_adds == 0
    assert found.uncertain == ('conv/Conv2D',)


def test_structures_of_inputs_are_passed_on():
    layer = keras.layers.Dense(2)

    def model(batch, scale):
        return layer(batch['a'] + batch['b']) * scale

    specs = {'a': tf.TensorSpec([None, 3]), 'b': tf.TensorSpec([None, 3])}
    assert complexity(model, specs, tf.TensorSpec([])).multiply_adds == 8


def test_replicated_variables_count_once(two_replicas):
    with two_replicas.scope():
        model = mini()
    image = tf.TensorSpec([1, 32, 32, 3])
    assert complexity(model, image) == complexity(mini(), image)
