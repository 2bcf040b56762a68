"""Weights and images that anybody can make again: drawn from a seed, each tensor from its name.

NumPy's RandomState never changes its streams, so a file of reference outputs stays true.
"""

import hashlib
import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np


def tensor(name: str, shape: Sequence[int]) -> np.ndarray:
    """Returns the values of a PyTorch tensor; a name or shape that is wrong gives other values.

    Kernels keep the scale of what they multiply, normalisations change it a little.
    """
    random = np.random.RandomState(zlib.crc32(f'{name} {tuple(shape)}'.encode()))
    if name.endswith('num_batches_tracked'):
        return np.array(random.randint(1, 10**6), np.int64)
    if len(shape) > 1:
        values = random.standard_normal(shape) / math.sqrt(math.prod(shape[1:]))
    elif name.endswith('running_var'):
        values = random.uniform(0.8, 1.25, shape)
    elif name.endswith('weight'):
        values = random.uniform(0.8, 1.2, shape)
    else:
        values = 0.1 * random.standard_normal(shape)
    return values.astype(np.float32)


def tensors(shapes: Mapping[str, Sequence[int]]) -> dict[str, np.ndarray]:
    """Returns the tensors of a state dict."""
    return {name: tensor(name, shape) for name, shape in shapes.items()}


def images(count: int = 2, size: int = 224) -> np.ndarray:
    """Returns normalised RGB images, float32 [count, size, size, 3]: smooth, with some noise."""
    random = np.random.RandomState(0)
    coarse = random.standard_normal((count, size // 16, size // 16, 3))
    smooth = coarse.repeat(16, axis=1).repeat(16, axis=2)
    return (smooth + 0.3 * random.standard_normal(smooth.shape)).astype(np.float32)


def digest(shapes: Mapping[str, Sequence[int]]) -> str:
    """Returns a hash of all names and shapes, whatever their order."""
    lines = sorted(f'{name} {tuple(shape)}' for name, shape in shapes.items())
    return hashlib.sha256('\n'.join(lines).encode()).hexdigest()
