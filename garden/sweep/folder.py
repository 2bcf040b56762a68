"""The folder of a sweep, which all processes and machines that work on it share.

sweep.gin           the resolved configuration of the sweep
study.txt           the name of the study, which no other sweep has
study.journal       what Optuna remembers
trials/0007/        a trial: an ordinary run folder, and beside it
  trial.json        its point, its command, what it came to
  log.txt           what its process said
best.gin            the best trial so far, as an experiment
.lock               held by who asks for a trial or tells of one

A trial belongs to who holds the lock of its file `.sweep`. The trial's process inherits it, so it
is free only when both have ended: then the trial may be taken up again, by anybody.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from garden.core.errors import StorageError
from garden.engine.run_folder import RunFolder
from garden.sweep.space import Point

RUNNING = 'running'
COMPLETE = 'complete'
PRUNED = 'pruned'
DIVERGED = 'diverged'
FAILED = 'failed'


@dataclasses.dataclass(frozen=True)
class Trial:
    """What is known of a trial.

    Attributes:
      number: its number, from 0.
      key: what the engine calls it.
      point: the settings that were varied, values as gin writes them.
      command: what starts and what continues it.
      state: 'running' until it has come to an end, interrupted or not; then 'complete', 'pruned',
        'diverged' or 'failed'.
      value: what it came to, None for nothing.
      step: the step of that value.
      seconds: how long its processes have run.
      reason: why it failed.
    """

    number: int
    key: str
    point: Point
    command: tuple[str, ...]
    state: str = RUNNING
    value: float | None = None
    step: int | None = None
    seconds: float = 0.0
    reason: str = ''


class SweepFolder:
    """The folder of a sweep.

    Args:
      path: a local folder, or one of a file system that all machines share.
    """

    def __init__(self, path: Path):
        self.path = path
        self.config = path / 'sweep.gin'
        self.best = path / 'best.gin'
        self._files = RunFolder(path)
        self._ended: dict[int, Trial] = {}

    def create(self) -> None:
        """Makes the folder; raises as `RunFolder.create` does."""
        self._files.create()
        (self.path / 'trials').mkdir(exist_ok=True)

    def write_text(self, name: str, text: str) -> None:
        """Writes a file of the folder, whole or not at all."""
        self._files.write_text(name, text)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Waits until no other process is in here."""
        with open(self.path / '.lock', 'w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
            except OSError as error:
                raise StorageError(
                    f'{self.path} is on a file system without locks ({error.strerror}), which a '
                    'sweep needs: give another --sweep_dir.'
                ) from error
            yield

    def study(self) -> str:
        """Returns the name of the study, for data bases that hold many; call it when locked."""
        path = self.path / 'study.txt'
        if not path.exists():
            self.write_text(path.name, f'{self.path.resolve().name}-{uuid.uuid4().hex[:8]}\n')
        return path.read_text().strip()

    def trials(self) -> list[Trial]:
        """Returns all trials in the order of their numbers."""
        found = []
        for path in sorted(self.path.glob('trials/*/trial.json')):
            number = int(path.parent.name)
            trial = self._ended.get(number) or self._read(path)
            if trial.state != RUNNING:
                self._ended[number] = trial
            found.append(trial)
        return found

    def run_folder(self, number: int) -> Path:
        """Returns the run folder of a trial."""
        return self.path / 'trials' / f'{number:04}'

    def log(self, number: int) -> Path:
        """Returns the file that holds what a trial's process says."""
        return self.run_folder(number) / 'log.txt'

    def write(self, trial: Trial) -> None:
        """Writes what is known of a trial."""
        folder = self.run_folder(trial.number)
        folder.mkdir(exist_ok=True)
        RunFolder(folder).write_json('trial.json', dataclasses.asdict(trial))

    def claim(self, number: int) -> IO[str] | None:
        """Makes a trial this process's own until the file is closed; None if it is another's."""
        file = open(self.run_folder(number) / '.sweep', 'w')  # noqa: SIM115 - it outlives us.
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        os.set_inheritable(file.fileno(), True)
        return file

    @staticmethod
    def _read(path: Path) -> Trial:
        fields = json.loads(path.read_text())
        return Trial(**{**fields, 'command': tuple(fields['command'])})


def best(trials: list[Trial], goal: str) -> Trial | None:
    """Returns the best of the complete trials, of equal ones the first; None without any."""
    complete = [t for t in trials if t.state == COMPLETE and t.value is not None]
    sign = 1 if goal == 'max' else -1
    return max(complete, key=lambda t: (sign * (t.value or 0.0), -t.number), default=None)
