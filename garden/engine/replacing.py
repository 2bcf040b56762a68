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
    try:
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
    except (OSError, tf.errors.OpError) as error:
        reason = getattr(error, 'strerror', None) or getattr(error, 'message', error)
        raise StorageError(
            f'{directory} cannot be written ({reason}). Make room or give another {flag}, then '
            'run the same command again.'
        ) from error
    finally:
        with contextlib.suppress(OSError):
            if scratch.exists():
                scratch.rmtree()
