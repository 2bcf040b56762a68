"""What the evaluators say of samples whose quality is known.

The distances of the rows were measured with another classifier of the same design and recipe; this
one's agree within a fifth.
"""

import numpy as np
import pytest
from digit_scans import Loader, scans

from garden.core.errors import UserError
from garden.evaluators.digit_features import DigitFeatures
from garden.evaluators.sample_quality import SampleQuality

TRAIN, TEST, TRAIN_LABELS, TEST_LABELS = scans()
PIXELS = TRAIN.reshape(-1, 64)


@pytest.fixture(scope='module')
def quality():
    return SampleQuality(
        DigitFeatures(), Loader(TRAIN), Loader(TEST), labelled=True, kernel_subset_size=100
    )


@pytest.fixture
def rated(quality):
    def rate(samples, labels=None):
        samples = samples.reshape(-1, 8, 8, 1)
        labels = np.zeros(len(samples), np.int32) if labels is None else labels
        quality.reset_state()
        for part in np.array_split(np.arange(len(samples)), 3):
            quality.update_state({'sample': samples[part], 'label': labels[part]})
        return quality.result()

    return rate


def by_class(rng):
    """Samples of one Gaussian for each class, and their labels."""
    labels = rng.permutation(np.repeat(range(10), 100))
    drawn = np.empty([1000, 64])
    for label in range(10):
        of_class = PIXELS[label == TRAIN_LABELS]
        covariance = np.cov(of_class, rowvar=False)
        drawn[labels == label] = rng.multivariate_normal(of_class.mean(0), covariance, 100)
    return drawn, labels


def test_real_images_are_at_the_floor(rated):
    found = rated(TEST, TEST_LABELS)
    assert found['fdd'] == pytest.approx(1.94, rel=0.2)
    assert found['classifier_score'] == pytest.approx(9.76, rel=0.02)
    assert found['precision'] == found['recall'] == found['novelty'] == 1.0
    assert found['accuracy'] == pytest.approx(0.9833, abs=1e-4)
    assert found['smallest_share'] > 0.08
    assert found['largest_share'] < 0.12


@pytest.mark.parametrize(('sigma', 'distance'), [(0.1, 4.5), (0.25, 21.3)])
def test_noise_takes_real_images_away_from_it(rated, sigma, distance):
    noise = np.random.default_rng(0).normal(size=TEST.shape) * sigma
    assert rated(TEST + noise)['fdd'] == pytest.approx(distance, rel=0.2)


def test_gaussians_of_pixels_are_told_from_digits(rated):
    rng = np.random.default_rng(0)
    one = rated(rng.multivariate_normal(PIXELS.mean(0), np.cov(PIXELS, rowvar=False), 1000))
    assert one['fdd'] == pytest.approx(62.2, rel=0.2)
    alone = rated(PIXELS.mean(0) + PIXELS.std(0) * rng.normal(size=(1000, 64)))
    assert alone['fdd'] == pytest.approx(149, rel=0.2)
    assert alone['fdd'] > one['fdd'] > 50
    assert rated(rng.uniform(size=(1000, 64)))['fdd'] == pytest.approx(154, rel=0.2)
    classes, labels = by_class(rng)
    classes = rated(classes, labels)
    assert classes['fdd'] == pytest.approx(5.25, rel=0.2)
    assert classes['accuracy'] == pytest.approx(0.987, abs=0.01)


def test_a_constant_image_has_perfect_precision_and_fails_everything_else(rated):
    rng = np.random.default_rng(0)
    found = rated(PIXELS.mean(0) + 1e-3 * rng.normal(size=(400, 64)))
    assert found['precision'] == 1.0
    assert found['recall'] == 0.0
    assert found['fdd'] == pytest.approx(408, rel=0.2)
    assert found['classifier_score'] == pytest.approx(1, abs=0.01)
    assert (found['smallest_share'], found['largest_share']) == (0, 1)


def test_a_dropped_class_and_a_single_one_show_in_the_shares(rated):
    assert rated(TRAIN[TRAIN_LABELS != 7])['smallest_share'] == 0
    single = rated(TRAIN[TRAIN_LABELS == 0])
    assert single['fdd'] == pytest.approx(472, rel=0.2)
    assert single['largest_share'] == 1
    assert single['recall'] < 0.2


def test_memorised_images_are_not_novel(rated):
    found = rated(TRAIN[:1000])
    assert found['fdd'] < 1.9
    assert found['novelty'] < 0.05


def test_samples_that_are_not_what_was_asked_for_show_in_the_accuracy(rated):
    assert rated(TEST, (TEST_LABELS + 1) % 10)['accuracy'] < 0.02


def test_names_are_those_of_the_network_and_of_what_is_compared():
    bare = SampleQuality(DigitFeatures(), Loader(TRAIN[:100]))
    assert bare.metrics == (
        *('fdd', 'kdd', 'classifier_score'),
        *('precision', 'recall', 'smallest_share', 'largest_share'),
    )
    bare.update_state({'sample': TEST[:50, ..., None]})
    assert tuple(bare.result()) == bare.metrics
    full = SampleQuality(DigitFeatures(), Loader(TRAIN), Loader(TEST), labelled=True)
    assert full.metrics[7:] == ('novelty', 'accuracy')
    assert full.summary == '1437 images; 360 images'


def test_real_images_are_read_once():
    real = Loader(TRAIN[:100])
    quality = SampleQuality(DigitFeatures(), real)
    for _ in range(2):
        quality.reset_state()
        quality.update_state({'sample': TEST[:20, ..., None]})
        quality.result()
    assert real.passes == 1


def test_one_sample_is_too_few():
    quality = SampleQuality(DigitFeatures(), Loader(TRAIN[:100]))
    quality.update_state({'sample': TEST[:1, ..., None]})
    with pytest.raises(UserError, match='at least 2 samples'):
        quality.result()


def test_digits_are_read_in_any_size_and_in_grey_or_colour():
    network = DigitFeatures()
    small = np.round(TEST[..., None] * 255).astype(np.uint8)
    features, probabilities = network(small)
    assert features.shape == (360, 64)
    assert probabilities.shape == (360, 10)
    colour = np.repeat(small, 3, axis=-1)
    np.testing.assert_allclose(network(colour)[0], features, rtol=1e-3, atol=1e-3)
    large = np.repeat(np.repeat(small, 3, axis=1), 3, axis=2)
    assert (network(large)[1].argmax(1) == TEST_LABELS).mean() > 0.95
