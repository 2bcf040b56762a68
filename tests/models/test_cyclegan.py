"""CycleGAN's networks against the counts of the authors' code and what a patch sees."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.models.cyclegan import CycleGANGenerator, PatchGAN


def count(model):
    return sum(variable.shape.num_elements() for variable in model.variables)


@pytest.mark.parametrize(('blocks', 'parameters'), [(9, 11_378_179), (6, 7_837_699)])
def test_the_generator_has_as_many_weights_as_the_authors(blocks, parameters):
    assert count(CycleGANGenerator(blocks=blocks)) == parameters


def test_so_has_the_discriminator_and_it_makes_a_map():
    model = PatchGAN()
    assert count(model) == 2_764_737
    assert model(tf.zeros([1, 256, 256, 3])).shape == (1, 30, 30, 1)


@pytest.mark.parametrize(('layers', 'side'), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_a_patch_has_the_published_size(layers, side):
    """Without normalisation, which makes each output depend on the whole image."""
    model = PatchGAN(filters=2, layers=layers, normalize=False)
    for variable in model.trainable_variables:  # So that no unit is silent by chance.
        variable.assign(tf.ones_like(variable))
    size = 192 if layers < 4 else 320
    images = tf.ones([1, size, size, 3])
    with tf.GradientTape() as tape:
        tape.watch(images)
        logits = model(images)
        middle = logits.shape[1] // 2
        logit = logits[0, middle, middle, 0]
    seen = np.abs(tape.gradient(logit, images)[0]).sum(axis=-1) > 0
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    assert len(rows) == len(columns) == side
    assert rows[-1] - rows[0] == columns[-1] - columns[0] == side - 1


def test_an_image_keeps_its_size_and_lies_between_minus_1_and_1():
    model = CycleGANGenerator(input_channels=1, blocks=1, filters=4)
    made = model(100 * tf.random.stateless_normal([2, 16, 24, 1], [1, 2]))
    assert made.shape == (2, 16, 24, 3)
    assert np.abs(made).max() <= 1


def test_sides_that_cannot_be_halved_are_refused():
    with pytest.raises(UserError, match='multiples of 4, which 18 x 16 are not'):
        CycleGANGenerator(blocks=1, filters=4)(tf.zeros([1, 18, 16, 3]))
