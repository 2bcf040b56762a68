"""The example of docs/recipes.md, and the recipes against the figures that they are taken from."""

import re
from pathlib import Path

import numpy as np
import pytest

from garden import registry
from garden.engine import config

ROOT = Path(__file__).parents[1]


def test_the_example_of_the_guide_is_a_configuration(tmp_path):
    text = (ROOT / 'docs' / 'recipes.md').read_text()
    path = tmp_path / 'my_recipe.gin'
    path.write_text(re.search(r'```gin\n(# my_recipe.*?)```', text, re.DOTALL)[1])
    loaded = config.load(str(path))
    assert loaded.get('train/dataloaders.image_classification.repeats') == 2


def rates(experiment, epoch_steps, epochs):
    """The learning rate that an experiment binds, at the first and the last step of epochs."""
    loaded = config.load(experiment)
    settings = {
        key.removeprefix('schedules.cosine.'): loaded.get(key)
        for key in re.findall(r'^(schedules\.cosine\.\w+)', loaded.text, re.MULTILINE)
    }
    settings['steps'] = loaded.get('train_steps')
    schedule = registry.get('schedules', 'cosine')(**settings)
    assert settings['steps_per_epoch'] == epoch_steps
    first = [float(schedule(epoch * epoch_steps)) for epoch in epochs]
    last = [float(schedule(epoch * epoch_steps + epoch_steps - 1)) for epoch in epochs]
    np.testing.assert_allclose(first, last, rtol=1e-6)
    return first


def test_the_rates_of_the_paper():
    published = [0.08, 0.223945, 0.367637, 0.795075, 0.780423, 0.4, 0.000197]
    found = rates('regnety_400mf', 1251, [0, 1, 2, 5, 10, 50, 99])
    np.testing.assert_allclose(found, published, atol=1e-6)


def test_the_rates_of_torchvision():
    """Half at the middle of the 595 epochs of the wave, the whole after five of warm-up."""
    found = rates('regnety_400mf_torchvision', 1252, [0, 1, 5, 5 + 119])
    wave = 0.25 * (1 + np.cos(np.pi * 119 / 595))
    np.testing.assert_allclose(found, [0.005, 0.104, 0.5, wave], rtol=1e-5)


@pytest.mark.parametrize(('name', 'base', 'epochs'), [('a2', 5e-3, 300), ('a3', 8e-3, 100)])
def test_the_rates_of_resnet_strikes_back(name, base, epochs):
    found = rates(f'regnety_4gf_rsb_{name}', 625, [0, 1, 5, epochs // 2])
    wave = 1e-6 + (base - 1e-6) * 0.5 * (1 + np.cos(np.pi * 5 / epochs))
    expected = [1e-6, 1e-6 + (base - 1e-6) / 5, wave, (base + 1e-6) / 2]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_the_average_of_torchvision_moves_as_far_as_its_script_says():
    loaded = config.load('regnety_400mf_torchvision')
    interval = loaded.get('tasks.image_classification.average_interval')
    moved = (1 - 0.99998) * loaded.get('batch_size') * interval / 600
    decay = loaded.get('tasks.image_classification.average_decay')
    np.testing.assert_allclose(1 - decay, moved, rtol=1e-5)


SETTINGS = {
    'regnety_400mf': {
        'optimizers.sgd.weight_decay': 5e-5,
        'optimizers.sgd.nesterov': True,
        'train/dataloaders.image_classification.lighting': 0.1,
        'tasks.image_classification.precise_batches': 8,
    },
    'regnety_800mf_torchvision': {
        'optimizers.sgd.weight_decay': 2e-5,
        'optimizers.sgd.no_decay': ('norm',),
        'tasks.image_classification.label_smoothing': 0.1,
        'eval/dataloaders.image_classification.eval_resize': 232,
        'models.regnety.width_rounding': 'torchvision',
        'train_steps': 600 * 1252,
    },
    'regnety_4gf_rsb_a2': {
        'optimizers.lamb.weight_decay': 0.02,
        'losses.binary_cross_entropy.threshold': 0.2,
        'train/dataloaders.image_classification.repeats': 3,
        'augmentations.rand_augment.magnitude': 7.0,
        'train_steps': 300 * 625,
    },
    'regnety_4gf_rsb_a3': {
        'train/dataloaders.image_classification.image_size': 160,
        'augmentations.rand_augment.magnitude': 6.0,
        'train_steps': 100 * 625,
    },
}


@pytest.mark.parametrize('name', sorted(SETTINGS))
def test_the_settings_are_those_of_the_source(name):
    loaded = config.load(name)
    assert {key: loaded.get(key) for key in SETTINGS[name]} == SETTINGS[name]
