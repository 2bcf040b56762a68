"""Lets torchvision and timm be imported beside a build of torch that has no compiled torchvision.

There is no CPU build of torchvision on the package index; its wheel expects CUDA's libraries, and
its Python part refuses to load without the compiled operators. None of them is used here, so that
empty ones will do.
"""

import importlib.util
import re
from pathlib import Path

import torch


def declare() -> torch.library.Library:
    """Declares the operators; keep what is returned, or they are gone again."""
    spec = importlib.util.find_spec('torchvision')
    assert spec is not None and spec.origin is not None
    source = Path(spec.origin).with_name('_meta_registrations.py').read_text()
    library = torch.library.Library('torchvision', 'FRAGMENT')
    for name in sorted(set(re.findall(r'torchvision::(\w+)', source))):
        library.define(f'{name}(Tensor x) -> Tensor')
    return library
