"""Reads a file of weights, whoever wrote it."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.numpy

from garden.convert import torch_file
from garden.core.errors import UserError, did_you_mean


def read(path: str | os.PathLike[str], entry: str | None = None) -> dict[str, np.ndarray]:
    """Returns the tensors of a file by name.

    Args:
      path: a `.safetensors` file, else one of `torch.save`: a state dict, or a dictionary that
        holds one among other things, e.g. a checkpoint of a training run.
      entry: the key of the state dict to take where there are several, e.g. weights and their
        moving average.

    Raises:
      UserError: if the file cannot be read, would run code, or has no such entry.
    """
    path = os.fspath(path)
    try:
        if not path.endswith('.safetensors'):
            return _read_torch(path, entry)
        tensors = safetensors.numpy.load_file(path)
    except OSError as error:
        raise UserError(f'{path} cannot be read: {error.strerror or error}.') from error
    except (safetensors.SafetensorError, KeyError) as error:
        raise torch_file.damaged(path, error) from error
    if entry is not None:
        raise UserError(f'--entry={entry}: a safetensors file has one set of weights, no entries.')
    return tensors


def _read_torch(path: str, entry: str | None) -> dict[str, np.ndarray]:
    state = _state_dict(torch_file.load(path), path, entry)
    try:
        return {name: tensor.array() for name, tensor in state.items()}
    except (UserError, OSError):
        raise
    except Exception as error:  # A checksum, a missing member of the archive, a length.
        raise torch_file.damaged(path, error) from error


def _state_dict(loaded: Any, path: str, entry: str | None) -> Mapping[str, torch_file.Tensor]:
    if entry is None and _is_state_dict(loaded):
        return loaded
    found = loaded if isinstance(loaded, Mapping) else {}
    found = {str(key): value for key, value in found.items() if _is_state_dict(value)}
    if entry is None and len(found) == 1:
        return next(iter(found.values()))
    if entry in found:
        return found[entry]
    if not found:
        raise UserError(f'{path} holds no set of named tensors, i.e. no state dict.')
    wrong = f'has no entry {entry}' if entry else 'holds several sets of weights'
    raise UserError(
        f'{path} {wrong}: choose one with --entry, of {", ".join(found)}.'
        f'{did_you_mean(entry or "", found)}'
    )


def _is_state_dict(value: Any) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(key, str) for key in value)
        and all(isinstance(tensor, torch_file.Tensor) for tensor in value.values())
    )
