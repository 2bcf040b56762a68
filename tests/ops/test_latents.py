import numpy as np
import scipy.stats

from garden.ops.latents import between, plane


def test_lines_begin_and_end_at_codes():
    codes = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    lines = between(codes, steps=5).reshape(3, 5, 3)
    np.testing.assert_array_equal(lines[:, 0], codes[:3])
    np.testing.assert_allclose(lines[:, -1], codes[3:], rtol=1e-6)
    np.testing.assert_allclose(lines[:, 2], (codes[:3] + codes[3:]) / 2, rtol=1e-5, atol=1e-6)


def test_the_plane_is_even_under_the_prior():
    grid = plane(4).reshape(4, 4, 2)
    shares = scipy.stats.norm.cdf(grid)
    np.testing.assert_allclose(shares[0, :, 0], [0.125, 0.375, 0.625, 0.875], atol=1e-6)
    np.testing.assert_allclose(shares[:, 0, 1], [0.875, 0.625, 0.375, 0.125], atol=1e-6)
