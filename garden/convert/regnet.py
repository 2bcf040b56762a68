"""The names of RegNets in timm, pycls and torchvision."""

import re
from collections.abc import Mapping

import numpy as np

from garden.convert.layout import Layout
from garden.core.registry import register

# Of our layers, which are timm's: the parts of a block, and the block itself.
_PYCLS = (
    (r'\.conv1\.conv$', '.f.a'),
    (r'\.conv1\.bn$', '.f.a_bn'),
    (r'\.conv2\.conv$', '.f.b'),
    (r'\.conv2\.bn$', '.f.b_bn'),
    (r'\.conv3\.conv$', '.f.c'),
    (r'\.conv3\.bn$', '.f.c_bn'),
    (r'\.se\.fc1$', '.f.se.f_ex.0'),
    (r'\.se\.fc2$', '.f.se.f_ex.2'),
    (r'\.downsample\.conv$', '.proj'),
    (r'\.downsample\.bn$', '.bn'),
)


def _torchvision_block(found: re.Match) -> str:
    stage, block = found.groups()
    return f'trunk_output.block{stage}.block{stage}-{int(block) - 1}.'


_TORCHVISION = (
    (r'\.conv$', '.0'),
    (r'\.bn$', '.1'),
    (r'\.conv1\.', '.f.a.'),
    (r'\.conv2\.', '.f.b.'),
    (r'\.conv3\.', '.f.c.'),
    (r'\.se\.', '.f.se.'),
    (r'\.downsample\.', '.proj.'),
    (r'^s(\d+)\.b(\d+)\.', _torchvision_block),
    (r'^head\.fc$', 'fc'),
)


def _reversed_inputs(kernel: np.ndarray) -> np.ndarray:
    return kernel[:, :, ::-1]


@register('converters', 'regnety')
def regnety() -> Mapping[str, Layout]:
    """Reads timm, pycls and torchvision.

    Networks of pycls take blue, green, red; ours take red, green, blue, so the stem's kernel is
    turned round. (The `pycls_in1k` files of timm are turned already.)
    """
    return {
        'timm': Layout(),
        'pycls': Layout(_PYCLS, changes={'stem.conv.kernel': _reversed_inputs}),
        'torchvision': Layout(_TORCHVISION),
    }


@register('converters', 'regnetx')
def regnetx() -> Mapping[str, Layout]:
    """Reads timm, pycls and torchvision, as `regnety`."""
    return regnety()
