"""A folder that takes the place of an older one when it is whole, and not before."""

import contextlib
import os
from collections.abc import Callable, Iterator

from etils import epath

from garden.core.errors import StorageError, UserError


@contextlib.contextmanager
def replacing(
    directory: epath.Path, what: str, ours: Callable[[epath.Path], bool], flag: str
) -> Iterator[epath.Path]:
    """Yields an empty folder that takes the place of `directory` when the context ends well.

    Args:
      directory: the folder.
      what: what it holds, for the messages: 'an export'.
      ours: whether a folder that is there is such a one; an empty one may be replaced anyway.
      flag: the flag that names the folder, for the messages.

    Raises:
      UserError: if `directory` is somebody else's.
      StorageError: if it cannot be written; what was there before is kept.
    """
    if directory.exists() and not _empty(directory) and not ours(directory):
        raise UserError(f'{directory} holds something else than {what}: give another {flag}.')
    if '://' not in str(directory):
        directory = epath.Path(os.path.realpath(directory))  # It may be '.', or a link.
    scratch, old = (directory.with_name(f'.{directory.name}.{end}') for end in ('new', 'old'))
    with _stored(directory, scratch, flag):
        for left in (scratch, old):
            if left.exists():  # By a process that was killed.
                left.rmtree()
        scratch.mkdir(parents=True)
        yield scratch
        if directory.exists():
            directory.rename(old)
        scratch.rename(directory)
        if old.exists():
            old.rmtree()


@contextlib.contextmanager
def placing(path: epath.Path, flag: str) -> Iterator[epath.Path]:
    """Yields an empty folder whose files come to lie beside `path` when the context ends well.

    Args:
      path: one of the files, which does not exist yet.
      flag: the flag that names it, for the messages.

    Raises:
      UserError: if it exists.
      StorageError: if it cannot be written.
    """
    if path.exists():
        raise UserError(f'{path} exists: remove it or give another {flag}.')
    scratch = path.with_name(f'.{path.name}.new')
    with _stored(path, scratch, flag):
        if scratch.exists():
            scratch.rmtree()
        scratch.mkdir(parents=True)
        yield scratch
        for file in scratch.iterdir():
            file.replace(path.parent / file.name)


def _empty(path: epath.Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


@contextlib.contextmanager
def _stored(path: epath.Path, scratch: epath.Path, flag: str) -> Iterator[None]:
    """Tells what keeps `path` from being written, and leaves no scratch behind."""
    try:
        yield
    except Exception as error:
        if not _of_storage(error):
            raise
        reason = getattr(error, 'strerror', None) or getattr(error, 'message', error)
        raise StorageError(
            f'{path} cannot be written ({reason}). Make room or give another {flag}, then run the '
            'same command again.'
        ) from error
    finally:
        with contextlib.suppress(OSError):
            if scratch.exists():
                scratch.rmtree()


def _of_storage(error: Exception) -> bool:
    # By its name: a report is written without TensorFlow.
    return isinstance(error, OSError) or any(c.__name__ == 'OpError' for c in type(error).__mro__)
