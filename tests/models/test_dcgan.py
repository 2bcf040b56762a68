"""DCGAN: the sizes of three published pairs, and every guideline of the paper."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.engine import config
from garden.models.dcgan import DCGANDiscriminator, DCGANGenerator

PAPER = (DCGANGenerator, {}), (DCGANDiscriminator, {})
REPORT = (
    (DCGANGenerator, {'widths': (512, 256, 128, 64), 'kernel_size': 4, 'unit_norm': False}),
    (DCGANDiscriminator, {'widths': (64, 128, 256, 512), 'kernel_size': 4}),
)
DIGITS = (
    (
        DCGANGenerator,
        {
            'image_size': 8,
            'channels': 1,
            'latent_size': 64,
            'widths': (128, 64),
            'kernel_size': 4,
            'bias': True,
        },
    ),
    (DCGANDiscriminator, {'widths': (64, 128), 'kernel_size': 4, 'bias': True}),
)


def pair(which):
    (generator, of_generator), (discriminator, of_discriminator) = which
    generator, discriminator = generator(**of_generator), discriminator(**of_discriminator)
    images = generator(tf.zeros([1, generator.latent_size]))
    assert images.shape == (1, *generator.image_shape)
    assert discriminator(images).shape == (1,)
    return generator, discriminator


@pytest.fixture(scope='module')
def digits():
    return pair(DIGITS)


def count(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


@pytest.mark.parametrize(
    ('which', 'counts'),
    [(PAPER, (18_885_760, 17_232_768)), (REPORT, (3_576_704, 2_765_568))],
)
def test_sizes_are_those_of_the_published_code(which, counts):
    assert tuple(count(model.trainable_variables) for model in pair(which)) == counts


def test_sizes_of_the_small_pair_with_moving_statistics(digits):
    assert tuple(count(model.variables) for model in digits) == (167_169, 133_185)


def ops(model, *inputs):
    """The operations of a network in training, in order."""
    traced = tf.function(lambda *x: model(*x, training=True)).get_concrete_function(*inputs)
    return list(traced.graph.get_operations())


def of_type(operations, *types):
    return [op for op in operations if op.type in types]


@pytest.fixture(scope='module')
def generator_ops(digits):
    return ops(digits[0], tf.zeros([2, 64]))


@pytest.fixture(scope='module')
def discriminator_ops(digits):
    return ops(digits[1], tf.zeros([2, 8, 8, 1]))


def test_guideline_1_strides_take_the_place_of_pooling(generator_ops, discriminator_ops):
    pooling = ('MaxPool', 'AvgPool', 'ResizeBilinear', 'ResizeNearestNeighbor')
    assert not of_type(generator_ops + discriminator_ops, *pooling)
    for operations, kind in ((generator_ops, 'Conv2DBackpropInput'), (discriminator_ops, 'Conv2D')):
        convolutions = of_type(operations, 'Conv2D', 'Conv2DBackpropInput')
        assert [op.type for op in convolutions] == [kind] * 2
        assert all(op.get_attr('strides') == [1, 2, 2, 1] for op in convolutions)


def test_guideline_2_all_but_the_outermost_layers_are_normalised(digits):
    for model, widths in zip(digits, ([2 * 2 * 128, 64], [128]), strict=True):
        norms = [m for m in model.submodules if isinstance(m, keras.layers.BatchNormalization)]
        assert sorted(norm.gamma.shape[0] for norm in norms) == sorted(widths)
        # Over all replicas, which a copy of the layer would not keep.
        assert all(norm.synchronized for norm in norms)
    generator, discriminator = digits
    shifted = generator(3 + tf.zeros([8, 64]), training=True)  # Equal codes have no variance.
    assert np.isfinite(shifted.numpy()).all()
    first = discriminator.stages[0]
    assert first.use_bias
    assert not discriminator.stages[1].use_bias


def test_guideline_3_no_hidden_layer_is_fully_connected(digits):
    generator, discriminator = digits

    def dense(model):
        return [m for m in model.submodules if isinstance(m, keras.layers.Dense)]

    assert [layer.units for layer in dense(generator)] == [2 * 2 * 128]  # Its input layer.
    assert [layer.units for layer in dense(discriminator)] == [1]  # Its output layer.


def test_guideline_4_the_generator_has_relu_and_ends_in_tanh(generator_ops):
    kinds = ('Relu', 'LeakyRelu', 'Tanh', 'Sigmoid')
    assert [op.type for op in of_type(generator_ops, *kinds)] == ['Relu', 'Relu', 'Tanh']


def test_guideline_5_the_discriminator_has_leaky_relu_everywhere(discriminator_ops):
    assert not of_type(discriminator_ops, 'Relu', 'Tanh', 'Sigmoid')
    largest = of_type(discriminator_ops, 'Maximum')  # Of 0.2 x and x; normalisation has its own.
    found = [op for op in largest if 'moments' not in op.name]
    assert len(found) == 2
    for op in found:
        x, product = op.inputs
        slope, same = product.op.inputs
        assert tf.get_static_value(slope) == pytest.approx(0.2)
        assert same is x


def test_weights_start_from_a_narrow_normal_distribution():
    for model in pair(REPORT):
        for variable in model.trainable_variables:
            value = variable.numpy()
            if 'kernel' in variable.name:
                assert value.mean() == pytest.approx(0, abs=1e-3)
                assert value.std() == pytest.approx(0.02, rel=0.05)
            elif 'gamma' in variable.name:
                assert value.mean() == pytest.approx(1, abs=0.01)
                assert value.std() == pytest.approx(0.02, rel=0.3)
            else:
                assert (value == 0).all()


@pytest.mark.parametrize('name', ['dcgan', 'dcgan_paper', 'dcgan_mini', 'cdcgan_mini'])
def test_the_recipes_scale_images_and_train_as_the_paper_does(name):
    recipe = config.load(name)
    assert recipe.get('dataloaders.images.low') == -1
    assert recipe.get('dataloaders.images.high', 1.0) == 1
    assert recipe.get('optimizers.adam.learning_rate') == 2e-4
    assert recipe.get('optimizers.adam.beta_1') == 0.5
    assert recipe.get('batch_size') == (128 if name == 'dcgan_paper' else 64)


def test_an_image_size_that_cannot_be_doubled_to_is_refused():
    with pytest.raises(UserError, match='no multiple of 16'):
        DCGANGenerator(image_size=28)


@pytest.mark.parametrize('every_layer', [False, True])
def test_both_networks_hear_of_the_class(every_layer):
    told = {'num_classes': 3, 'every_layer': every_layer}
    generator = DCGANGenerator(8, 1, 16, (8, 4), 4, **told)
    discriminator = DCGANDiscriminator((4, 8), 4, **told)
    codes = tf.tile(tf.random.stateless_normal([1, 16], [1, 2]), [3, 1])
    images = generator(codes, tf.constant([0, 1, 2]), training=False).numpy()
    assert not np.allclose(images[0], images[1])
    logits = discriminator(tf.ones([2, 8, 8, 1]), tf.constant([0, 2]), training=False).numpy()
    assert logits[0] != logits[1]
    # The channels of the class enter the kernels of every layer, or of the first only.
    inner = generator.stages[-1].kernel.shape[-1], discriminator.stages[-1].kernel.shape[-2]
    assert inner == ((4 + 3, 4 + 3) if every_layer else (4, 4))
