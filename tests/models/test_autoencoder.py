"""The networks of TensorFlow's first autoencoders and of their migration."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.models.autoencoder import Autoencoder

IMAGES = tf.random.stateless_normal([4, 28, 28, 1], [0, 1])
MIGRATION = {'encoder': (200,), 'activation': 'relu', 'output_activation': 'sigmoid'}


@pytest.mark.parametrize(
    ('settings', 'parameters'),
    [
        ({}, 314_584),
        ({**MIGRATION, 'decoder': (392,)}, 543_904),
        ({**MIGRATION, 'decoder': (394,)}, 545_874),
    ],
)
def test_parameters_are_those_of_the_originals(settings, parameters):
    model = Autoencoder(**settings)
    assert sum(v.shape.num_elements() for v in model.trainable_variables) == parameters


def test_the_decoder_mirrors_the_encoder():
    model = Autoencoder(encoder=(100, 50, 20))
    widths = [v.shape[-1] for v in model.trainable_variables if v.shape.rank == 2]
    assert widths == [100, 50, 20, 50, 100, 784]
    assert model.encode(IMAGES).shape == (4, 20)
    assert model.decode(model.encode(IMAGES)).shape == IMAGES.shape


def test_an_output_of_softplus_cannot_reproduce_standardised_images():
    assert (Autoencoder(output_activation='softplus')(IMAGES).numpy() > 0).all()
    assert (Autoencoder()(IMAGES).numpy() < 0).any()


def test_from_a_last_matrix_of_zeros_the_encoder_learns_nothing_in_the_first_step():
    model = Autoencoder(encoder=(20,), output_initializer='zeros')

    def gradients():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(model(IMAGES) - IMAGES))
        return tape.gradient(loss, model.trainable_variables)

    first = gradients()
    np.testing.assert_array_equal(first[0], tf.zeros_like(first[0]))
    for variable, gradient in zip(model.trainable_variables, first, strict=True):
        variable.assign_sub(1e-3 * gradient)
    assert np.abs(gradients()[0]).max() > 0


def test_filters_are_the_weights_from_the_pixels_to_a_unit():
    model = Autoencoder((4, 4, 1), encoder=(7,))
    pixel = np.zeros([1, 4, 4, 1], np.float32)
    pixel[0, 1, 2] = 1
    before = model.encoder.layers[1].activation(model.filters()[:, 1, 2, 0])
    np.testing.assert_allclose(model.encode(pixel)[0], before, rtol=1e-6)


def test_an_encoder_without_layers_is_refused():
    with pytest.raises(UserError, match='at least one width'):
        Autoencoder(encoder=())
