"""The recipes of autoencoders against the sources that they name."""

import numpy as np
import pytest

from garden import registry
from garden.engine import config

EPOCH = 3000  # Steps of 20 of MNIST's 60,000 images.


def test_the_rates_of_the_importance_weighted_paper():
    """Stage i of 8 takes 3^i epochs at 0.001 / 10^(i/7)."""
    loaded = config.load('vae')
    schedule = registry.get('schedules', 'piecewise')(
        *(loaded.get(f'schedules.piecewise.{name}') for name in ('base', 'boundaries', 'factors'))
    )
    stages = range(8)
    lengths = [3**i * EPOCH for i in stages]
    ends = np.cumsum(lengths)
    assert loaded.get('train_steps') == ends[-1] == 3280 * EPOCH
    expected = [1e-3 * 10 ** (-i / 7) for i in stages]
    for steps in (ends - lengths, ends - 1):
        np.testing.assert_allclose([float(schedule(step)) for step in steps], expected, rtol=1e-4)


SETTINGS = {
    'autoencoder': {'train_steps': 20 * 468, 'tasks.autoencoder.standardize': True},
    'autoencoder_relu': {'models.autoencoder.decoder': (392,), 'train_steps': 5 * 468},
    'denoising_autoencoder': {'augmentations.gaussian_noise.scale': 0.01},
    'masking_autoencoder': {'augmentations.masking_noise.keep': 0.95, 'train_steps': 100 * 468},
    'vae_linear': {'models.dense_vae.hidden': (), 'models.dense_vae.latents': 200},
}


@pytest.mark.parametrize('name', sorted(SETTINGS))
def test_the_settings_are_those_of_the_originals(name):
    loaded = config.load(name)
    assert {key: loaded.get(key) for key in SETTINGS[name]} == SETTINGS[name]
    assert loaded.get('batch_size') == 128
