"""How far apart two sets of samples are, as seen in the features of some network.

Features are [n, d], probabilities [n, classes]; all arithmetic is in float64.
"""

from typing import Any

import numpy as np
from scipy import linalg
from sklearn.neighbors import NearestNeighbors


def frechet_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the squared Fréchet distance of two Gaussians fitted to features (arXiv:1706.08500).

    It is |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), the covariances with n - 1 in the
    denominator. It falls with the number of samples: compare figures of equal numbers, larger than
    the width of the features.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    shift = first.mean(axis=0) - second.mean(axis=0)
    first, second = np.cov(first, rowvar=False), np.cov(second, rowvar=False)
    # The eigenvalues of C1 C2 are those of the symmetric C1^(1/2) C2 C1^(1/2), which are real.
    values, vectors = linalg.eigh(first)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    overlap = np.sqrt(linalg.eigvalsh(root @ second @ root).clip(0)).sum()
    return float(shift @ shift + np.trace(first) + np.trace(second) - 2 * overlap)


def kernel_distance(
    first: np.ndarray,
    second: np.ndarray,
    subsets: int = 50,
    subset_size: int = 1000,
    seed: int = 0,
) -> float:
    """Returns the squared maximum mean discrepancy with the kernel (x.y / d + 1)^3.

    As "KID" (arXiv:1801.01401): the mean of the unbiased estimate over random subsets. Unlike
    Fréchet's it does not depend on the number of samples; it may be negative.

    Args:
      first: features.
      second: features.
      subsets: how many pairs of subsets.
      subset_size: at most so many samples in each.
      seed: of the choice.
    """
    size = min(subset_size, len(first), len(second))
    rng = np.random.default_rng(seed)
    estimates = []
    for _ in range(subsets):
        x = np.asarray(first[rng.choice(len(first), size, replace=False)], np.float64)
        y = np.asarray(second[rng.choice(len(second), size, replace=False)], np.float64)
        within = sum(_off_diagonal_mean(_kernel(z, z)) for z in (x, y))
        estimates.append(within - 2 * _kernel(x, y).mean())
    return float(np.mean(estimates))


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _off_diagonal_mean(square: np.ndarray) -> float:
    size = len(square)
    return (square.sum() - np.trace(square)) / (size * (size - 1))


def classifier_score(probabilities: np.ndarray, splits: int = 1) -> np.ndarray:
    """Returns exp(mean KL(p(y|x) || p(y))) of each of `splits` equal parts, [splits].

    It is the form of the inception score (arXiv:1606.03498): 1 to the number of classes, blind to
    samples that are all alike within a class.
    """
    scores = []
    for part in np.array_split(np.asarray(probabilities, np.float64), splits):
        divergences = part * (np.log(part + 1e-300) - np.log(part.mean(axis=0) + 1e-300))
        scores.append(np.exp(divergences.sum(axis=1).mean()))
    return np.asarray(scores)


def precision_recall(
    real: np.ndarray, fake: np.ndarray, neighbours: int = 3
) -> tuple[float, float]:
    """Returns (precision, recall) of features (arXiv:1904.06991).

    Precision is the share of fakes that lie in a ball around a real sample which reaches to that
    one's k-th nearest real neighbour; recall is the same with the two exchanged. A blurred mean has
    precision 1 and recall 0: neither means anything without the other.

    Args:
      real: features.
      fake: features; equal numbers of both are customary.
      neighbours: k.
    """
    return _share_covered(real, fake, neighbours), _share_covered(fake, real, neighbours)


def _share_covered(centres: np.ndarray, points: np.ndarray, neighbours: int) -> float:
    """Returns the share of points in any centre's ball."""
    neighbours = min(neighbours, len(centres) - 1)
    own = _nearest(centres, neighbours + 1).kneighbors(centres)[0][:, -1]  # It finds itself first.
    covered = 0
    for part in np.array_split(np.asarray(points, np.float64), -(-len(points) // 1000)):
        squares = (part**2).sum(1)[:, None] + (centres**2).sum(1) - 2 * part @ centres.T
        covered += int((squares <= own**2).any(axis=1).sum())
    return covered / len(points)


def nearest_distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Returns the Euclidean distance of each point to the nearest of the others, [n]."""
    return _nearest(others, 1).kneighbors(np.asarray(points, np.float64))[0][:, 0]


def _nearest(points: np.ndarray, neighbours: int) -> Any:
    return NearestNeighbors(n_neighbors=neighbours).fit(np.asarray(points, np.float64))
