"""A folder that takes the place of an older one when it is whole, and not before."""

import contextlib
from collections.abc import Iterator

import tensorflow as tf
from etils import epath

from garden.core.errors import StorageError, UserError


@contextlib.contextmanager
def replacing(directory: epath.Path, what: str, marker: str, flag: str) -> Iterator[epath.Path]:
    """Yields an empty folder that takes the place of `directory` when the context ends well.

    Args:
      directory: the folder.
      what: what it holds, for the messages: 'an export'.
      marker: a file that every such folder holds: one without it is somebody else's.
      flag: the flag that names the folder, for the messages.

    Raises:
      UserError: if `directory` is somebody else's.
      StorageError: if it cannot be written; what was there before is kept.
    """
    if directory.exists() and not (directory / marker).exists():
        raise UserError(f'{directory} holds something else than {what}: give another {flag}.')
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


@contextlib.contextmanager
def _stored(path: epath.Path, scratch: epath.Path, flag: str) -> Iterator[None]:
    """Tells what keeps `path` from being written, and leaves no scratch behind."""
    try:
        yield
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, 'strerror', None) or getattr(error, 'message', error)
        raise StorageError(
            f'{path} cannot be written ({reason}). Make room or give another {flag}, then run the '
            'same command again.'
        ) from error
    finally:
        with contextlib.suppress(OSError):
            if scratch.exists():
                scratch.rmtree()
