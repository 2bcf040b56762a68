"""Moving averages beyond what the trainer's tests show of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from garden.core.average import MovingAverage


def test_updates_come_at_their_interval():
    variable = tf.Variable(0.0)
    average = MovingAverage([variable], decay=0.5, interval=3)
    seen = []
    for step in range(1, 7):
        variable.assign(float(step))
        average.update(tf.constant(step, tf.int64))
        seen.append(float(average.shadows[0].numpy()))
    assert seen == [0, 0, 1.5, 1.5, 1.5, 3.75]


def test_warm_up_lets_early_weights_go():
    variable = tf.Variable(1.0)
    average = MovingAverage([variable], decay=0.999, warm_up=True)
    expected = 1.0
    for step in range(1, 6):
        variable.assign(10.0)
        average.update(tf.constant(step, tf.int64))
        decay = min(0.999, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * 10
    np.testing.assert_allclose(average.shadows[0].numpy(), expected, rtol=1e-6)


def test_it_is_the_average_of_torchvisions_script():
    """The numbers come from tools/torch_references.py: every 4 steps, copies up to step 12."""
    expected = json.loads((Path(__file__).parent / 'data' / 'average.json').read_text())
    variable = tf.Variable(np.zeros(3))
    average = MovingAverage([variable], decay=0.7, interval=4, start=12)
    rng = np.random.default_rng(0)
    seen = []
    for step in range(1, 41):
        variable.assign(rng.normal(size=(1, 3))[0])
        average.update(tf.constant(step, tf.int64))
        if step % 4 == 0:
            seen.append(average.shadows[0].numpy())
    np.testing.assert_allclose(seen, expected, rtol=1e-6, atol=1e-6)


def test_what_is_no_floating_point_number_is_left_out():
    average = MovingAverage([tf.Variable(1), tf.Variable(1.0)], decay=0.9)
    assert len(average.shadows) == 1


def test_an_error_while_swapped_in_brings_the_weights_back():
    variable = tf.Variable(1.0)
    average = MovingAverage([variable], decay=0.5)
    variable.assign(3.0)
    with pytest.raises(RuntimeError, match='meanwhile'), average.swapped_in():
        assert float(variable.numpy()) == 1.0
        raise RuntimeError('meanwhile')
    assert float(variable.numpy()) == 3.0
    assert float(average.shadows[0].numpy()) == 1.0


@pytest.mark.parametrize(
    'settings', [{'decay': 1.0}, {'decay': -0.1}, {'decay': 0.9, 'interval': 0}]
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match='moving average'):
        MovingAverage([tf.Variable(1.0)], **settings)
