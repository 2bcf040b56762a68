"""The "standard CNN" pair: the sizes of the published code, and what can be set."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.models.standard_cnn import StandardCNNDiscriminator, StandardCNNGenerator


def parameters(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


def test_sizes_are_those_of_the_published_code():
    generator, discriminator = StandardCNNGenerator(), StandardCNNDiscriminator()
    images = generator(tf.random.stateless_normal([2, 128], [1, 2]))
    assert images.shape == (2, 32, 32, 3)
    assert np.abs(images).max() <= 1
    assert discriminator(images).shape == (2,)
    assert (parameters(generator), parameters(discriminator)) == (3_812_355, 2_931_009)


def test_statistics_are_those_of_all_replicas():
    generator, discriminator = StandardCNNGenerator(), StandardCNNDiscriminator()
    for model, count in ((generator, 3), (discriminator, 7)):
        norms = [m for m in model.submodules if isinstance(m, keras.layers.BatchNormalization)]
        assert [norm.synchronized for norm in norms] == [True] * count


def test_without_normalisation_each_image_is_judged_by_itself():
    model = StandardCNNDiscriminator((4, 8), normalize=False)
    images = tf.random.stateless_normal([3, 8, 8, 3], [1, 2])
    together = model(images, training=True).numpy()
    np.testing.assert_allclose(model(images[:1], training=True), together[:1], rtol=1e-5)
    mixed = StandardCNNDiscriminator((4, 8))
    assert not np.allclose(mixed(images[:2], training=True), mixed(images, training=True)[:2])


def test_kernels_start_orthogonal():
    model = StandardCNNGenerator(8, 1, 16, (8, 4))
    model(tf.zeros([1, 16]))
    kernel = model.project.kernel.numpy()
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(16), atol=1e-5)


def test_an_image_size_that_cannot_be_doubled_to_is_refused():
    with pytest.raises(UserError, match='no multiple of 8'):
        StandardCNNGenerator(image_size=28)
