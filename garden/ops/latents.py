"""Codes to look at: what a decoder makes of them shows what the space of codes is like."""

import numpy as np
import scipy.stats


def between(codes: np.ndarray, steps: int = 11) -> np.ndarray:
    """Returns codes on the straight lines from each code of the first half to one of the second.

    Args:
      codes: [2 n, latents].
      steps: codes on a line, ends included.

    Returns:
      [n * steps, latents], one line after the other.
    """
    half = len(codes) // 2
    share = np.linspace(0, 1, steps, dtype=np.float32)[None, :, None]
    lines = (1 - share) * codes[:half, None] + share * codes[half : 2 * half, None]
    return lines.reshape(-1, codes.shape[-1])


def plane(side: int) -> np.ndarray:
    """Returns a grid of codes of two latents that are equally far apart under a normal prior.

    Returns:
      [side * side, 2], row by row; the first latent grows to the right, the second upwards.
    """
    quantiles = scipy.stats.norm.ppf((np.arange(side) + 0.5) / side).astype(np.float32)
    up, right = np.meshgrid(-quantiles, quantiles, indexing='ij')
    return np.stack([right.ravel(), up.ravel()], axis=-1)
