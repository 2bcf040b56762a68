"""The trainer and Keras `fit` train alike: two ways, one loss curve."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from garden import registry
from garden.core.feed import Feed
from garden.dataloaders.images import Images
from garden.engine import randomness
from garden.engine.trainer import Trainer
from garden.tasks.autoencoder import Autoencoder
from garden.tasks.vae import VAE

ROOT = Path(__file__).parents[2]
STEPS = 8


@pytest.fixture(scope='module')
def example():
    spec = importlib.util.spec_from_file_location('fit', ROOT / 'examples' / 'autoencoder_fit.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def loaders(batch_size=64):
    source = registry.get('sources', 'tfds')('digits', 'mixed_train')
    return [Images(source, batch_size, training, 8, channels=1) for training in (True, False)]


def losses_of_the_trainer(task, strategy):
    trainer = Trainer(task, strategy, seed=0)
    trainer.open_training_data()
    return [float(trainer.train(1)['loss']) for _ in range(STEPS)]


def losses_of_fit(model, data):
    """One epoch a step, for Keras to report each loss and not a running mean."""
    history = model.fit(data, steps_per_epoch=1, epochs=STEPS, verbose=0)
    return history.history['loss']


def test_an_autoencoder(example, one_device):
    model = example.autoencoder()
    with one_device.scope():
        network = registry.get('models', 'autoencoder')(
            (8, 8, 1), encoder=(16,), output_activation='sigmoid'
        )
        network.set_weights(model.get_weights())
        task = Autoencoder(network, registry.get('optimizers', 'adam')(5e-3), *loaders())
    pairs = example.digits(64).map(lambda images: (images, images))
    trained = losses_of_the_trainer(task, one_device)
    np.testing.assert_allclose(losses_of_fit(model, pairs), trained, rtol=1e-5)
    assert trained[-1] < 0.9 * trained[0]


def test_a_variational_autoencoder(example, one_device):
    model = example.vae()
    with one_device.scope():
        network = registry.get('models', 'dense_vae')((8, 8, 1), latents=8, hidden=(200,))
        network.set_weights(model.get_weights())
        task = VAE(network, registry.get('optimizers', 'adam')(2e-3), *loaders())

    def seed_of(step):
        """That of the noise in `VAE.train_step`, for step 0 of the run and on."""
        return tf.random.split(randomness.step_seed(0, step, 0), 2)[1]

    data = example.with_noise(example.digits(64), 8, seed_of)
    trained = losses_of_the_trainer(task, one_device)
    np.testing.assert_allclose(losses_of_fit(model, data), trained, rtol=1e-5)
    assert trained[-1] < 0.9 * trained[0]


def test_both_see_the_same_batches(example):
    (image,) = example.digits(4).take(1).as_numpy_iterator()
    (batch,) = loaders(4)[0](Feed()).take(1).as_numpy_iterator()
    np.testing.assert_array_equal(image, batch['image'])


@pytest.mark.slow
def test_the_example_runs_as_a_script():
    script = ROOT / 'examples' / 'autoencoder_fit.py'
    environment = os.environ | {'PYTHONPATH': str(ROOT)}
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
