import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from garden.ops import latent
from garden.ops.conditioning import with_labels


def test_codes_have_the_moments_of_their_distribution():
    normal = latent.draw('normal', [20_000, 4], tf.constant([1, 2])).numpy()
    assert normal.mean() == pytest.approx(0, abs=0.02)
    assert normal.std() == pytest.approx(1, rel=0.02)
    uniform = latent.draw('uniform', [20_000, 4], tf.constant([1, 2])).numpy()
    assert uniform.std() == pytest.approx(1 / np.sqrt(3), rel=0.02)
    assert -1 <= uniform.min() < -0.99 and 0.99 < uniform.max() <= 1


@pytest.mark.parametrize('distribution', latent.DISTRIBUTIONS)
def test_a_numbered_code_does_not_depend_on_its_company(distribution):
    together = latent.numbered(distribution, tf.range(10), 8).numpy()
    alone = latent.numbered(distribution, tf.constant([7, 3]), 8).numpy()
    np.testing.assert_array_equal(alone, together[[7, 3]])
    assert len({code.tobytes() for code in together}) == 10


def test_the_way_between_normal_codes_stays_at_their_distance_from_the_origin():
    start, end = tf.constant([3.0, 0, 0]), tf.constant([0, 3.0, 0])
    way = latent.between('normal', start, end, 3).numpy()
    half = 3 / np.sqrt(2)
    np.testing.assert_allclose(way, [[3, 0, 0], [half, half, 0], [0, 3, 0]], atol=1e-6)
    equal_steps = np.linalg.norm(np.diff(latent.between('normal', start, end, 9), axis=0), axis=1)
    np.testing.assert_allclose(equal_steps, equal_steps[0], rtol=1e-5)


def test_the_way_between_uniform_codes_is_straight():
    way = latent.between('uniform', tf.constant([1.0, 0]), tf.constant([0.0, -1]), 3)
    np.testing.assert_allclose(way, [[1, 0], [0.5, -0.5], [0, -1]])


def test_labels_are_appended_to_vectors_and_as_constant_maps():
    labels = tf.constant([1, 0])
    vectors = with_labels(tf.zeros([2, 3]), labels, 2)
    np.testing.assert_array_equal(vectors, [[0, 0, 0, 0, 1], [0, 0, 0, 1, 0]])
    maps = with_labels(tf.zeros([2, 4, 4, 3]), labels, 2).numpy()
    assert maps.shape == (2, 4, 4, 5)
    assert (maps[0, ..., 4] == 1).all() and (maps[1, ..., 3] == 1).all() and maps.sum() == 32
    features = tf.zeros([2, 3])
    assert with_labels(features, None, None) is features


def test_the_plane_is_even_under_the_prior():
    shares = scipy.stats.norm.cdf(latent.plane(4).reshape(4, 4, 2))
    np.testing.assert_allclose(shares[0, :, 0], [0.125, 0.375, 0.625, 0.875], atol=1e-6)
    np.testing.assert_allclose(shares[:, 0, 1], [0.875, 0.625, 0.375, 0.125], atol=1e-6)
