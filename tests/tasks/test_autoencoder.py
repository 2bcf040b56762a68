"""Autoencoders as tasks: what is learnt, corrupted, measured and exported."""

import numpy as np
import pytest
import tensorflow as tf
from sklearn.preprocessing import StandardScaler

from garden import registry
from garden.augmentations.corruption import GaussianNoise
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.images import Images
from garden.models.autoencoder import Autoencoder as Network
from garden.sources.memory import Arrays
from garden.tasks.autoencoder import Autoencoder

PICTURES = np.random.default_rng(0).integers(0, 256, [50, 4, 4, 1], np.uint8)
VALUES = PICTURES.astype(np.float32) / 255
SEED = tf.constant([1, 2])


def task(network=None, learning_rate=0.0, size=4, **settings):
    loaders = [Images(Arrays({'image': PICTURES}), 8, t, size, channels=1) for t in (True, False)]
    optimizer = registry.get('optimizers', 'adam')(learning_rate=learning_rate)
    network = network or Network((4, 4, 1), encoder=(6,))
    return Autoencoder(network, optimizer, *loaders, **settings)


def test_the_loss_is_half_the_squared_error_of_an_image():
    network = Network((4, 4, 1), encoder=(6,))
    scalars = task(network).train_step({'image': tf.constant(VALUES[:8])}, SEED)
    expected = 0.5 * np.square(network(VALUES[:8]) - VALUES[:8]).sum(axis=(1, 2, 3)).mean()
    assert float(scalars['loss']) == pytest.approx(expected, rel=1e-5)


def test_images_are_standardised_by_all_training_images_each_once():
    """50 images are no whole number of batches of 8."""
    system = task(standardize=True)
    system.initialize()
    scaler = StandardScaler().fit(VALUES.reshape(50, -1))
    np.testing.assert_allclose(system.standardization.mean.numpy().ravel(), scaler.mean_, rtol=1e-4)
    np.testing.assert_allclose(
        system.standardization.scale.numpy().ravel(), scaler.scale_, rtol=1e-4
    )


def test_the_target_of_a_corrupted_input_is_whole():
    """A network that returns its input has the error of the noise."""
    network = Network((4, 4, 1), encoder=(16,), activation='linear')
    identity = [np.eye(16), np.zeros(16), np.eye(16), np.zeros(16)]
    network.set_weights([weight.astype(np.float32) for weight in identity])
    system = task(network, corrupt=GaussianNoise(0.5), eval_corrupt=GaussianNoise(0.5))
    batch = {'image': tf.constant(VALUES)}
    assert float(system.train_step(batch, SEED)['loss']) == pytest.approx(0.5 * 16 * 0.25, rel=0.2)
    scalars, outputs = system.eval_step(batch, SEED)
    np.testing.assert_allclose(scalars['mse'], 0, atol=1e-10)
    np.testing.assert_allclose(scalars['denoised_mse'], scalars['noisy_mse'])
    assert np.mean(scalars['noisy_mse']) == pytest.approx(0.25, rel=0.2)
    np.testing.assert_allclose(outputs['reconstruction'], VALUES, atol=1e-5)


def test_whole_input_is_never_corrupted_in_evaluation():
    system = task(corrupt=GaussianNoise(0.5))
    batch = {'image': tf.constant(VALUES)}
    one, _ = system.eval_step(batch, SEED)
    other, _ = system.eval_step(batch, SEED + 1)
    assert set(one) == {'loss', 'mse'}
    np.testing.assert_array_equal(one['mse'], other['mse'])


def test_pca_is_given_the_images_as_the_network_sees_them():
    system = task(standardize=True, compare_with_pca=True)
    system.initialize()
    pca = system.evaluators()['pca']
    for batch in system.eval_data(Feed()):
        _, outputs = system.eval_step(batch, SEED)
        pca.update_state({name: value.numpy()[batch['mask']] for name, value in outputs.items()})
    scaled = StandardScaler().fit_transform(VALUES.reshape(50, -1))
    discarded = np.linalg.svd(scaled, compute_uv=False)[6:]
    expected = np.square(discarded).sum() / scaled.size
    assert pca.result()['pca_mse'] == pytest.approx(expected, rel=1e-3)


def test_what_is_exported_is_the_network_between_images_as_they_come(tmp_path):
    system = task(standardize=True)
    system.initialize()
    functions = system.signatures()
    holder = tf.Module()
    holder.kept = [system.model, system.standardization]
    tf.saved_model.save(holder, str(tmp_path), signatures=functions)
    loaded = tf.saved_model.load(str(tmp_path)).signatures
    assert set(loaded) == {
        'encode',
        'decode',
        'reconstruct',
        'reconstruct_picture',
        'serving_default',
    }
    images = tf.constant(VALUES[:5])
    code = loaded['encode'](image=images)['code']
    assert code.shape == (5, 6)
    decoded = loaded['decode'](code=code)['image']
    reconstructed = loaded['reconstruct'](image=images)['image']
    np.testing.assert_allclose(decoded, reconstructed, rtol=1e-5, atol=1e-5)
    standard = system.standardization
    expected = system.model(standard(images)) * standard.scale + standard.mean
    np.testing.assert_allclose(reconstructed, expected, rtol=1e-4, atol=1e-4)
    serving = loaded['serving_default'](image=images)['image']
    np.testing.assert_array_equal(serving, reconstructed)


def test_pictures_show_what_was_evaluated():
    system = task(corrupt=GaussianNoise(0.5), eval_corrupt=GaussianNoise(0.5))
    _, outputs = system.eval_step({'image': tf.constant(VALUES)}, SEED)
    system.evaluators()['shown'].update_state({k: v.numpy() for k, v in outputs.items()})
    drawn = system.pictures(0) | system.draw_batch({'image': tf.constant(VALUES)})
    assert set(drawn) == {'reconstructions', 'filters', 'batch'}
    assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in drawn.values())


def test_a_network_for_other_images_is_refused():
    with pytest.raises(UserError, match=r'images of \[4, 4, 1\], the data are \[6, 6, 1\]'):
        task(size=6)
