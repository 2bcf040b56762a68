"""Stochastic depth: what is dropped, how often, and that the mean stays."""

import numpy as np
import pytest
import tensorflow as tf

from garden.engine import randomness
from garden.layers.stochastic_depth import StochasticDepth
from garden.models.regnet import RegNet
from garden.models.regnet_design import Design


@pytest.fixture(autouse=True)
def seedable_layers():
    randomness.enable()


def test_training_drops_whole_images_and_keeps_the_mean():
    ones = tf.ones([4000, 2, 2, 3])
    outputs = StochasticDepth(0.2)(ones, training=True).numpy().reshape(4000, -1)
    assert (outputs == outputs[:, :1]).all()
    np.testing.assert_allclose(np.unique(outputs), [0, 1.25])
    assert abs((outputs[:, 0] == 0).mean() - 0.2) < 0.03


def test_evaluation_changes_nothing():
    ones = tf.ones([10, 2])
    np.testing.assert_array_equal(StochasticDepth(0.5)(ones, training=False), ones)


def test_its_draws_follow_the_seed_of_the_step():
    module = tf.Module()
    module.layer = StochasticDepth(0.5)
    reseed = randomness.Reseeder(module)

    def draw(seed):
        reseed(tf.constant(seed))
        return module.layer(tf.ones([64, 1]), training=True).numpy()

    np.testing.assert_array_equal(draw([1, 2]), draw([1, 2]))
    assert not np.array_equal(draw([1, 2]), draw([1, 3]))


def test_the_rate_of_a_regnet_rises_from_nothing_in_the_first_block_to_the_last():
    design = Design(depth=4, w_0=8, w_a=16.0, w_m=2.0, group_width=8)
    model = RegNet(design.stages('pycls'), 10, stem_width=8, drop_path=0.3)
    rates = [layer.rate for layer in model.submodules if isinstance(layer, StochasticDepth)]
    np.testing.assert_allclose(sorted(rates), [0.1, 0.2, 0.3], rtol=1e-6)
    plain = RegNet(design.stages('pycls'), 10, stem_width=8)
    assert not [layer for layer in plain.submodules if isinstance(layer, StochasticDepth)]
    image = tf.ones([8, 32, 32, 3])
    assert not np.allclose(model(image, training=True), model(image, training=True))
    np.testing.assert_array_equal(model(image, training=False), model(image, training=False))
