import numpy as np
import pytest

from garden.evaluators.reconstruction import ActiveUnits, PCABaseline

RANDOM = np.random.default_rng(0)


def pictures(count, rank=3, noise=0.0):
    """Images [count, 4, 4, 1] that lie in a space of few dimensions, and beside it."""
    basis = np.random.default_rng(7).normal(size=(rank, 16))
    flat = 5 + RANDOM.normal(size=(count, rank)) @ basis + noise * RANDOM.normal(size=(count, 16))
    return flat.reshape(count, 4, 4, 1)


def test_pca_reproduces_what_is_linear():
    training, images = pictures(100), pictures(20)
    baseline = PCABaseline(3, lambda: np.array_split(training, 4))
    baseline.update_state({'image': images, 'reconstruction': images + 0.1})
    assert baseline.result()['pca_mse'] == pytest.approx(0, abs=1e-12)


def test_its_error_is_that_of_the_singular_vectors_of_the_training_images():
    training, images = pictures(100, noise=1.0), pictures(20, noise=1.0)
    baseline = PCABaseline(2, lambda: [training])
    for half in np.array_split(images, 2):
        baseline.update_state({'image': half, 'reconstruction': half + 0.5})
    mean = training.reshape(100, 16).mean(axis=0)
    _, _, axes = np.linalg.svd(training.reshape(100, 16) - mean)
    centred = images.reshape(20, 16) - mean
    expected = np.square(centred - centred @ axes[:2].T @ axes[:2]).mean()
    assert baseline.result() == pytest.approx(
        {'pca_mse': expected, 'mse_over_pca': 0.25 / expected}
    )


def test_the_training_images_are_read_once():
    calls = []
    baseline = PCABaseline(2, lambda: calls.append(1) or [pictures(50)])
    for _ in range(2):
        baseline.reset_state()
        baseline.update_state({'image': pictures(5), 'reconstruction': pictures(5)})
        baseline.result()
    assert len(calls) == 1


def test_a_latent_that_says_nothing_of_the_image_is_not_active():
    means = RANDOM.normal(size=(500, 4)) * [1.0, 0.2, 0.05, 0.0]
    active = ActiveUnits()
    for part in np.array_split(means, 3):
        active.update_state({'code_mean': part})
    assert active.result() == {'active_units': 2.0}
