"""Garden: experiments for TensorFlow 2, one trainer, one contract, gin on the outside.

`registry` finds every task, model, data loader and optimizer by name; `Task` is the contract a new
system fulfils. Importing this package does not import TensorFlow: `Task` is loaded when it is used.
"""

from typing import Any

from garden.core import registry
from garden.core.registry import get, names, register

__all__ = ['Task', 'get', 'names', 'register', 'registry']
__version__ = '0.1.0'


def __getattr__(name: str) -> Any:
    if name == 'Task':
        from garden.core.task import Task

        return Task
    raise AttributeError(f"module 'garden' has no attribute {name!r}")
