import numpy as np
import pytest
import tensorflow as tf

from garden.augmentations.corruption import GaussianNoise, MaskingNoise
from garden.core.errors import UserError

SEED = tf.constant([3, 4])
ONES = tf.ones([200, 8, 8, 1])


def test_noise_is_drawn_for_every_value():
    noise = (GaussianNoise(0.5)(ONES, SEED) - 1).numpy()
    assert noise.std() == pytest.approx(0.5, rel=0.02)
    assert noise.mean() == pytest.approx(0, abs=0.02)
    assert len(np.unique(noise)) > 0.99 * noise.size


def test_shared_noise_is_the_same_for_the_whole_batch():
    noise = (GaussianNoise(0.5, shared=True)(ONES, SEED) - 1).numpy()
    assert (noise == noise[:1]).all()
    assert noise[0].std() == pytest.approx(0.5, rel=0.3)


def test_masking_leaves_survivors_as_they_are():
    masked = MaskingNoise(0.75)(ONES, SEED).numpy()
    assert set(np.unique(masked)) == {0.0, 1.0}
    assert masked.mean() == pytest.approx(0.75, abs=0.02)
    assert not (masked == masked[:1]).all()


def test_rescaled_masking_is_dropout_and_keeps_the_mean():
    masked = MaskingNoise(0.75, rescale=True)(ONES, SEED).numpy()
    np.testing.assert_allclose(np.unique(masked), [0, 1 / 0.75], rtol=1e-6)
    assert masked.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize('corrupt', [GaussianNoise(), MaskingNoise()])
def test_the_seed_decides(corrupt):
    np.testing.assert_array_equal(corrupt(ONES, SEED), corrupt(ONES, SEED))
    assert not np.array_equal(corrupt(ONES, SEED), corrupt(ONES, SEED + 1))


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(UserError, match=r'gaussian_noise\.scale'):
        GaussianNoise(-1.0)
    with pytest.raises(UserError, match=r'masking_noise\.keep lies in \(0, 1\]; 0 does not'):
        MaskingNoise(0)
