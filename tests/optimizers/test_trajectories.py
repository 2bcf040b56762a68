"""Optimizers and schedules against runs of PyTorch and timm, see tools/torch_references.py."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden import registry
from garden.core import optim

DATA = Path(__file__).parent / 'data'
RATES = json.loads((DATA / 'schedules.json').read_text())
TRAJECTORIES = json.loads((DATA / 'trajectories.json').read_text())
STEPS, EPOCH = 60, 5

SCHEDULES = {
    'torchvision_cosine': ('cosine', {
        'steps': STEPS, 'steps_per_epoch': EPOCH, 'warmup': 'before',
        'warmup_steps': 15, 'warmup_factor': 0.01,
    }),
    'timm_cosine': ('cosine', {
        'steps': STEPS, 'steps_per_epoch': EPOCH, 'warmup': 'over', 'floor': 1e-3,
        'warmup_steps': 15, 'warmup_factor': 2e-3,
    }),
    'cosine': ('cosine', {'steps': STEPS}),
    'piecewise': ('piecewise', {'boundaries': (20, 40), 'factors': (0.1, 0.01)}),
    'linear': ('linear', {'steps': STEPS, 'floor': 0.1}),
}  # fmt: skip


def schedule(name):
    kind, settings = SCHEDULES[name]
    return registry.get('schedules', kind)(base=0.5, **settings)


@pytest.mark.parametrize('name', sorted(RATES))
def test_a_schedule_gives_the_rates_of_its_reference(name):
    rate = schedule(name)
    np.testing.assert_allclose([rate(step) for step in range(STEPS)], RATES[name], atol=1e-6)


class Weights(keras.layers.Layer):
    """A kernel and a bias that start where the reference's do."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(1)
        self.kernel = tf.Variable(rng.normal(size=(3, 2)))
        self.bias = tf.Variable(rng.normal(size=2))


@pytest.mark.parametrize('name', sorted(TRAJECTORIES))
def test_an_optimizer_takes_the_path_of_its_reference(name):
    kind, *options, rates = name.split()
    settings = {'weight_decay': 2e-2 if kind == 'lamb' else 1e-2, 'no_decay': ('norm', 'bias')}
    if options:
        settings['nesterov'] = options == ['nesterov=True']
    model = tf.Module()
    model.layer = layer = Weights()
    variables = [layer.kernel, layer.bias]
    optimizer = registry.get('optimizers', kind)(learning_rate=schedule(rates), **settings)
    optimizer = optim.prepare(optimizer, variables, model)
    rng = np.random.default_rng(0)
    for step in range(STEPS):
        kernel, bias = rng.normal(size=(3, 2)), rng.normal(size=2)
        optimizer.apply_gradients(
            zip([tf.constant(kernel), tf.constant(bias)], variables, strict=True)
        )
        if step % 10 == 9:
            expected = TRAJECTORIES[name][step // 10]
            for part, variable in (('kernel', layer.kernel), ('bias', layer.bias)):
                # Rates are float32, so the error is a part of the largest weight.
                bound = 1e-5 * np.abs(expected[part]).max()
                np.testing.assert_allclose(variable, expected[part], rtol=0, atol=max(bound, 1e-5))
