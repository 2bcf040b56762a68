"""Garden: experiments for TensorFlow 2, one trainer, one contract, gin on the outside.

`load_experiment` and `load_run` give an experiment or a run as Python objects, `launch` runs one;
`registry` finds every task, model, data loader and optimizer by name; `Task` is the contract a new
system fulfils. Importing this package does not import TensorFlow: what needs it does, when it is
used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from garden.core import registry
from garden.core.errors import UserError
from garden.core.registry import get, names, register

if TYPE_CHECKING:
    from garden.core.task import Task
    from garden.interface.launching import launch
    from garden.interface.loading import load_experiment, load_run

__all__ = [
    'Task',
    'UserError',
    'get',
    'launch',
    'load_experiment',
    'load_run',
    'names',
    'register',
    'registry',
]
__version__ = '0.1.0'

_LAZY = {
    'Task': 'garden.core.task',
    'launch': 'garden.interface.launching',
    'load_experiment': 'garden.interface.loading',
    'load_run': 'garden.interface.loading',
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'garden' has no attribute {name!r}")
