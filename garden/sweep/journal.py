"""The file in which Optuna remembers a study, safe against processes that are killed."""

import fcntl
import os
from pathlib import Path
from typing import IO, Any

from garden.sweep.engine import library


class _Lock:
    """A lock of the system, in place of Optuna's, which outlives a process that was killed."""

    def __init__(self, path: Path):
        self._path = path
        self._file: IO[str] | None = None

    def acquire(self) -> bool:
        """Waits until nobody else has it."""
        self._file = open(self._path, 'w')  # noqa: SIM115 - until it is released.
        fcntl.flock(self._file, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        """Lets go of it."""
        if self._file is not None:
            self._file.close()


def storage(path: Path) -> Any:
    """Returns Optuna's storage in a file; call it when nobody else writes there."""
    storages = library('optuna', 'optuna').storages
    _mend(path)
    # Not 'study.journal.lock', which a process of Optuna's own may have left behind.
    lock = _Lock(path.with_name(f'.{path.name}.lock'))
    return storages.JournalStorage(storages.journal.JournalFileBackend(str(path), lock))


def _mend(path: Path) -> None:
    """Drops a last line that was cut short, by a full disk or a loss of power.

    Optuna would write the next line to its end, and could read neither.
    """
    if not path.exists():
        return
    with open(path, 'rb+') as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 2**20, 0))
        _, mark, left = file.read().rpartition(b'\n')
        if left:
            file.truncate(end - len(left) if mark else 0)
