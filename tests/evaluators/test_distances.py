"""Distances of sets of samples against closed forms and plain loops."""

import numpy as np
import pytest
from scipy import linalg

from garden.evaluators import distances

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(200, 5)), RNG.normal(size=(150, 5)) @ RNG.normal(size=(5, 5)) + 1


def test_the_frechet_distance_to_itself_is_nothing():
    assert distances.frechet_distance(X, X) == pytest.approx(0, abs=1e-9)


def test_the_frechet_distance_of_a_shift_is_its_squared_length():
    shift = np.array([3.0, 0, 0, 4.0, 0])
    assert distances.frechet_distance(X, X + shift) == pytest.approx(25, rel=1e-9)


def test_the_frechet_distance_of_a_stretch_is_that_of_the_standard_deviations():
    expected = (X.mean(0) ** 2).sum() + np.trace(np.cov(X, rowvar=False))  # From x to 2 x.
    assert distances.frechet_distance(X, 2 * X) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_is_that_of_the_matrix_square_root():
    a, b = np.cov(X, rowvar=False), np.cov(Y, rowvar=False)
    shift = ((X.mean(0) - Y.mean(0)) ** 2).sum()
    expected = shift + np.trace(a + b - 2 * linalg.sqrtm(a @ b).real)
    assert distances.frechet_distance(X, Y) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_of_few_samples_is_finite():
    assert np.isfinite(distances.frechet_distance(X[:3], Y[:3]))


def test_the_kernel_distance_is_the_unbiased_estimate():
    x, y = X[:20], Y[:20]

    def kernel(a, b):
        return (a @ b / 5 + 1) ** 3

    n = len(x)
    within = [
        sum(kernel(s[i], s[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
        for s in (x, y)
    ]
    across = sum(kernel(a, b) for a in x for b in y) / n**2
    # Subsets of everything: each is the whole.
    found = distances.kernel_distance(x, y, subsets=3, subset_size=1000)
    assert found == pytest.approx(sum(within) - 2 * across, rel=1e-9)


def test_the_kernel_distance_of_one_distribution_is_about_nothing_whatever_the_number():
    rng = np.random.default_rng(1)
    for size in (20, 200):
        found = [
            distances.kernel_distance(
                rng.normal(size=(400, 5)), rng.normal(size=(400, 5)), 50, size
            )
            for _ in range(5)
        ]
        assert abs(np.mean(found)) < 0.05
    assert distances.kernel_distance(X, Y) > 1


def test_the_classifier_score_counts_the_classes_that_are_sure():
    assert distances.classifier_score(np.eye(10)[np.arange(50) % 10]) == pytest.approx([10])
    assert distances.classifier_score(np.full((50, 10), 0.1)) == pytest.approx([1])
    assert distances.classifier_score(np.eye(10)[[3] * 50]) == pytest.approx([1])
    halves = distances.classifier_score(np.eye(10)[[0, 1, 2, 3, 4, 4, 4, 4]], splits=2)
    assert halves == pytest.approx([4, 1])


def plainly_covered(centres, points, k):
    radii = [np.sort(np.linalg.norm(centres - c, axis=1))[k] for c in centres]
    return np.mean(
        [
            any(np.linalg.norm(p - c) <= r for c, r in zip(centres, radii, strict=True))
            for p in points
        ]
    )


@pytest.mark.parametrize('k', [1, 3])
def test_precision_and_recall_are_those_of_a_plain_search(k):
    precision, recall = distances.precision_recall(X, Y, k)
    assert precision == pytest.approx(plainly_covered(X, Y, k))
    assert recall == pytest.approx(plainly_covered(Y, X, k))
    assert 0 < precision < 1
    assert 0 < recall < 1


def test_the_nearest_distance_is_the_least():
    expected = [np.linalg.norm(Y - x, axis=1).min() for x in X]
    np.testing.assert_allclose(distances.nearest_distances(X, Y), expected)
