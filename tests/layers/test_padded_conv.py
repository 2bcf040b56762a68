"""Convolutions with PyTorch's borders, against sums written out in NumPy."""

import numpy as np
import pytest

from garden.layers.instance_norm import InstanceNorm
from garden.layers.padded_conv import CroppedConvTranspose2D, PaddedConv2D

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.standard_normal((2, 6, 8, 3)).astype(np.float32)


def set_up(layer):
    layer(IMAGES)
    for variable in layer.variables:
        variable.assign(RANDOM.standard_normal(variable.shape))
    return layer


@pytest.mark.parametrize('mode', ['CONSTANT', 'REFLECT'])
@pytest.mark.parametrize(
    ('size', 'strides', 'border'), [(3, 1, 1), (3, 2, 1), (4, 2, 1), (7, 1, 3)]
)
def test_a_convolution_sees_the_same_border_on_all_sides(mode, size, strides, border):
    layer = set_up(PaddedConv2D(5, size, strides, border=border, mode=mode))
    kernel = layer.kernel.numpy()
    around = ((0, 0), (border, border), (border, border), (0, 0))
    padded = np.pad(IMAGES, around, {'CONSTANT': 'constant', 'REFLECT': 'reflect'}[mode])
    height, width = ((n + 2 * border - size) // strides + 1 for n in (6, 8))
    wanted = np.zeros([2, height, width, 5])
    for y, x in np.ndindex(height, width):
        patch = padded[:, y * strides : y * strides + size, x * strides : x * strides + size]
        wanted[:, y, x] = np.tensordot(patch, kernel, 3)
    np.testing.assert_allclose(layer(IMAGES), wanted + layer.bias.numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ('size', 'strides', 'crop', 'extra'), [(3, 2, 1, 1), (4, 2, 1, 0), (4, 1, 0, 0), (3, 2, 1, 0)]
)
def test_a_transposed_convolution_loses_what_pytorch_loses(size, strides, crop, extra):
    layer = set_up(CroppedConvTranspose2D(5, size, strides, crop=crop, extra=extra))
    kernel = layer.kernel.numpy()  # Height, width, out, in.
    whole = np.zeros([2, *(strides * (n - 1) + size + extra for n in (6, 8)), 5])
    for y, x in np.ndindex(6, 8):
        stamp = np.tensordot(IMAGES[:, y, x], kernel, [1, 3])
        whole[:, y * strides : y * strides + size, x * strides : x * strides + size] += stamp
    height, width = (strides * (n - 1) + size - 2 * crop + extra for n in (6, 8))
    wanted = whole[:, crop : crop + height, crop : crop + width] + layer.bias.numpy()
    assert layer(IMAGES).shape == wanted.shape
    np.testing.assert_allclose(layer(IMAGES), wanted, atol=1e-4)


def test_instance_norm_makes_each_channel_of_each_image_standard():
    norm = InstanceNorm()
    mean, variance = (f(IMAGES, axis=(1, 2), keepdims=True) for f in (np.mean, np.var))
    wanted = (IMAGES - mean) / np.sqrt(variance + 1e-5)
    np.testing.assert_allclose(norm(IMAGES), wanted, atol=1e-5)
    np.testing.assert_allclose(norm(IMAGES[..., :1]), wanted[..., :1], atol=1e-5)
    assert norm.variables == []
