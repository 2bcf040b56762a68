"""The non-saturating loss of `losses.gan` in plain NumPy, with its derivative by hand."""

import numpy as np


def discriminator(
    real_logits: np.ndarray, fake_logits: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Returns mean softplus(-real) + mean softplus(fake), and its two gradients.

    Args:
      real_logits: of any shape; no sigmoid has been applied.
      fake_logits: of any shape.

    Returns:
      The loss, and its gradients with respect to the real and to the fake logits.
    """
    loss = _softplus(-real_logits).mean() + _softplus(fake_logits).mean()
    return (
        float(loss),
        (sigmoid(real_logits) - 1) / real_logits.size,
        sigmoid(fake_logits) / fake_logits.size,
    )


def generator(fake_logits: np.ndarray) -> tuple[float, np.ndarray]:
    """Returns mean softplus(-fake), and its gradient with respect to the logits."""
    return float(_softplus(-fake_logits).mean()), (sigmoid(fake_logits) - 1) / fake_logits.size


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + exp(-x)); no exponential in it can overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def _softplus(x: np.ndarray) -> np.ndarray:
    """Returns log(1 + exp(x)) in a form that neither overflows nor takes the logarithm of 0."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
