"""Finds the files that are named as input, and reads them."""

import concurrent.futures
import glob
import itertools
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from etils import epath

from garden.core.errors import UserError
from garden.predict.calls import UnreadableError

ARRAYS = ('.npy', '.npz')
_READERS = 8  # Files that are read at a time: a remote store answers slowly, but to many.


def find(inputs: Sequence[str]) -> Iterator[epath.Path]:
    """Yields the files that are named, in order; what a folder holds is sorted as people sort.

    Args:
      inputs: files, folders (with all that lies below them; hidden files are left out) and globs,
        local or remote (gs://...).

    Raises:
      UserError: if one of them does not exist.
    """
    for name in inputs:
        path = epath.Path(name).expanduser()
        if path.is_dir():
            yield from _below(path)
        elif path.exists():
            yield path
        else:
            found = _matching(name)
            if not found:
                raise UserError(f'--input={name}: there is no such file or folder.')
            for one in sorted(found, key=_natural):
                yield from _below(one) if one.is_dir() else (one,)


def _matching(pattern: str) -> list[epath.Path]:
    if not glob.has_magic(pattern):
        return []
    if '://' in pattern:
        import tensorflow as tf

        return [epath.Path(name) for name in tf.io.gfile.glob(pattern)]
    return [epath.Path(name) for name in glob.glob(os.path.expanduser(pattern), recursive=True)]


def _below(folder: epath.Path) -> Iterator[epath.Path]:
    for path in sorted(folder.iterdir(), key=_natural):
        if path.name.startswith('.'):
            continue
        if path.is_dir():
            yield from _below(path)
        else:
            yield path


def _natural(path: epath.Path) -> list[tuple[int, int, str]]:
    """Returns what to sort by for 'a2' to come before 'a10'."""
    parts = re.split(r'(\d+)', str(path))
    return [(0, int(part), '') if part.isdigit() else (1, 0, part) for part in parts]


def contents(
    paths: Iterable[epath.Path], size: int
) -> Iterator[list[tuple[epath.Path, bytes, UnreadableError | None]]]:
    """Yields batches of files, their bytes, and why one cannot be read."""
    remaining = iter(paths)
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        while batch := list(itertools.islice(remaining, size)):
            yield list(pool.map(_read, batch))


def _read(path: epath.Path) -> tuple[epath.Path, bytes, UnreadableError | None]:
    try:
        return path, path.read_bytes(), None
    except OSError as error:
        return path, b'', UnreadableError(error.strerror or str(error))


def arrays(data: bytes, specs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Returns what a .npy or .npz file holds for a signature.

    Args:
      data: the bytes of the file. An .npz holds an array for each argument, by its name; an .npy is
        for a signature with one argument.
      specs: a tf.TensorSpec for each argument.

    Raises:
      UnreadableError: if it holds something else.
    """
    import io

    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        held = dict(loaded) if isinstance(loaded, np.lib.npyio.NpzFile) else loaded
    except Exception as error:  # NumPy raises whatever the bytes bring it to.
        raise UnreadableError(f'no array of NumPy ({error})') from error
    if not isinstance(held, dict):
        if len(specs) > 1:
            raise UnreadableError(f'one array; an .npz file with {", ".join(specs)} is needed')
        held = {next(iter(specs)): held}
    lacking = [name for name in specs if name not in held]
    if lacking:
        raise UnreadableError(
            f'no array {lacking[0]!r} in it; it holds {", ".join(held) or "none"}'
        )
    return {name: _fitting(name, held[name], spec) for name, spec in specs.items()}


def _fitting(name: str, array: np.ndarray, spec: Any) -> np.ndarray:
    wanted = np.dtype(spec.dtype.as_numpy_dtype)
    if not np.can_cast(array.dtype, wanted, 'same_kind') or not spec.shape.is_compatible_with(
        array.shape
    ):
        shape = ['any' if size is None else size for size in spec.shape.as_list()]
        raise UnreadableError(
            f'{name} is {array.dtype} {list(array.shape)}, and {wanted} {shape} is taken'
        )
    return array.astype(wanted)
