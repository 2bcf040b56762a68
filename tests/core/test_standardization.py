import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits

from garden.core.standardization import Standardization

SCANS = load_digits().images[:, :, :, None].astype(np.float32)


def fitted():
    standardization = Standardization(SCANS.shape[1:])
    standardization.fit(np.array_split(SCANS, 7))
    return standardization


def test_each_pixel_gets_mean_0_and_variance_1():
    scaled = fitted()(SCANS).numpy()
    varies = SCANS.std(axis=0) > 0
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(scaled.std(axis=0)[varies], 1, atol=1e-4)


def test_a_constant_pixel_stays_finite_and_a_rare_one_grows_large():
    """Three pixels of the scans never change; one is lit in very few of them."""
    scaled = fitted()(SCANS).numpy()
    constant = SCANS.std(axis=0) == 0
    assert constant.sum() == 3
    np.testing.assert_array_equal(scaled[:, constant], 0)
    assert scaled.max() > 30


def test_it_can_be_undone():
    standardization = fitted()
    restored = standardization.inverse(standardization(SCANS))
    np.testing.assert_allclose(restored, SCANS, atol=1e-4)


def test_before_it_has_learnt_it_changes_nothing():
    np.testing.assert_array_equal(Standardization([8, 8, 1])(SCANS), SCANS)


def test_what_it_has_learnt_is_saved(tmp_path):
    standardization, other = fitted(), Standardization(SCANS.shape[1:])
    path = tf.train.Checkpoint(it=standardization).write(str(tmp_path / 'saved'))
    tf.train.Checkpoint(it=other).read(path).assert_consumed()
    np.testing.assert_array_equal(other(SCANS), standardization(SCANS))
