"""Fully connected adversarial networks: sizes, ranges, maxout, classes."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.models.mlp_gan import MLPDiscriminator, MLPGenerator


def parameters(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def built(generator, discriminator):
    codes = tf.random.stateless_normal([3, generator.latent_size], [1, 2])
    labels = () if generator.num_classes is None else (tf.constant([0, 1, 2]),)
    images = generator(codes, *labels)
    return images, discriminator(images, *labels)


@pytest.mark.parametrize(
    ('widths', 'discriminator', 'counts'),
    [
        # Goodfellow et al.: mnist.yaml of the authors.
        ((1200, 1200), {'widths': (240, 240), 'pieces': 5}, (2_503_984, 1_231_441)),
        # One hidden layer each, as tutorials have it.
        ((128,), {'widths': (128,), 'slope': 0.0}, (114_064, 100_609)),
    ],
)
def test_sizes_are_those_of_the_originals(widths, discriminator, counts):
    generator, discriminator = MLPGenerator(widths=widths), MLPDiscriminator(**discriminator)
    images, logits = built(generator, discriminator)
    assert images.shape == (3, 28, 28, 1)
    assert logits.shape == (3,)
    assert (parameters(generator), parameters(discriminator)) == counts


@pytest.mark.parametrize(('output', 'low'), [('tanh', -1.0), ('sigmoid', 0.0)])
def test_images_fill_the_range_of_their_output_and_no_more(output, low):
    generator = MLPGenerator(8, 1, 16, (32,), output=output)
    images = generator(100 * tf.random.stateless_normal([64, 16], [1, 2])).numpy()
    assert low <= images.min() < low + 0.01
    assert 0.99 < images.max() <= 1


def test_another_output_is_refused():
    with pytest.raises(UserError, match="'tanh' or 'sigmoid'"):
        MLPGenerator(output='relu')


def test_a_maxout_unit_is_the_largest_of_its_pieces():
    model = MLPDiscriminator(widths=(4,), pieces=3)
    images = tf.random.stateless_normal([2, 5, 5, 1], [1, 2])
    logits = model(images)
    x = images.numpy().reshape(2, 25)
    kernel, bias = (v.numpy() for v in model.hidden[0].variables)
    units = (x @ kernel + bias).reshape(2, 4, 3).max(axis=2)
    kernel, bias = (v.numpy() for v in model.logit.variables)
    np.testing.assert_allclose(logits, (units @ kernel + bias)[:, 0], rtol=1e-5)


def test_dropout_acts_in_training_only():
    model = MLPDiscriminator(widths=(64,), input_dropout=0.2, dropout=0.5)
    images = tf.ones([1, 8, 8, 1])
    rested = [float(model(images, training=False)[0]) for _ in range(3)]
    trained = [float(model(images, training=True)[0]) for _ in range(3)]
    assert len(set(rested)) == 1
    assert len(set(trained)) == 3


def test_both_networks_hear_of_the_class():
    generator = MLPGenerator(8, 1, 16, (32,), num_classes=3)
    discriminator = MLPDiscriminator((32,), num_classes=3)
    codes = tf.tile(tf.random.stateless_normal([1, 16], [1, 2]), [3, 1])
    images = generator(codes, tf.constant([0, 1, 2])).numpy()
    assert not np.allclose(images[0], images[1])
    same = tf.zeros([2, 8, 8, 1])
    logits = discriminator(same, tf.constant([0, 2])).numpy()
    assert logits[0] != logits[1]


def test_weights_start_where_they_are_told():
    model = MLPDiscriminator((64,), weight_range=0.005)
    model(tf.zeros([1, 8, 8, 1]))
    kernel = model.hidden[0].kernel.numpy()
    assert 0.0045 < np.abs(kernel).max() <= 0.005
    assert kernel.std() == pytest.approx(0.005 / np.sqrt(3), rel=0.05)
