"""DiscoGAN's networks, and those of MNIST to SVHN, against the counts of their authors' code."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.models.discogan import DiscoGANDiscriminator, DiscoGANGenerator

MNIST_SVHN = {'widths': (64, 128), 'middle': 2, 'norm_first': True, 'output': 'tanh'}


def count(model):
    return sum(variable.shape.num_elements() for variable in model.trainable_variables)


@pytest.mark.parametrize(
    ('model', 'settings', 'parameters'),
    [
        (DiscoGANGenerator, {}, 5_513_856),
        (DiscoGANGenerator, {'bottleneck': 100}, 7_153_480),
        (DiscoGANDiscriminator, {}, 2_765_568),
        (DiscoGANGenerator, {'input_channels': 1, **MNIST_SVHN}, 562_176),
        (DiscoGANGenerator, {'channels': 1, **MNIST_SVHN}, 562_176),
        (DiscoGANDiscriminator, {'input_channels': 1, 'widths': (64, 128, 256)}, 661_248),
        (DiscoGANDiscriminator, {'widths': (64, 128, 256)}, 663_296),
    ],
)
def test_they_have_as_many_weights_as_the_authors(model, settings, parameters):
    assert count(model(**settings)) == parameters


@pytest.mark.parametrize('bottleneck', [None, 5])
def test_an_image_keeps_its_size_and_lies_between_0_and_1(bottleneck):
    model = DiscoGANGenerator(input_channels=1, widths=(4, 6), bottleneck=bottleneck)
    made = model(100 * tf.random.stateless_normal([2, 16, 16, 1], [1, 2]))
    assert made.shape == (2, 16, 16, 3)
    assert 0 <= np.min(made) <= np.max(made) <= 1


def test_a_discriminator_shows_what_it_saw_on_the_way_to_its_logits():
    model = DiscoGANDiscriminator(widths=(4, 6, 8))
    images = tf.random.stateless_normal([2, 32, 32, 3], [1, 2])
    logits, features = model.seen(images)
    np.testing.assert_array_equal(logits, model(images))
    assert logits.shape == (2, 1, 1, 1)
    assert [part.shape for part in features] == [(2, 8, 8, 6), (2, 4, 4, 8)]


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'norm': 'instanse'}, "'instanse' is not.*Did you mean instance"),
        ({'output': 'tan'}, "'tan' is not.*Did you mean tanh"),
    ],
)
def test_unknown_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        DiscoGANGenerator(**settings)
