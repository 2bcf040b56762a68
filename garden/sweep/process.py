"""A trial that runs: its process, and what it has evaluated so far."""

import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from typing import IO, Any

from garden.engine.run_folder import RunFolder
from garden.sweep.folder import SweepFolder, Trial
from garden.sweep.metrics import Evaluations

_EXCERPT = 300


class TrialProcess:
    """The process of a trial.

    Args:
      folder: the sweep's folder.
      trial: the trial.
      claim: holds the trial; see `SweepFolder.claim`.
      slot: which of the trials at a time this is, from 0.
      environment: variables for the process.
    """

    def __init__(
        self,
        folder: SweepFolder,
        trial: Trial,
        claim: IO[str],
        slot: int,
        environment: Mapping[str, str],
    ):
        self.slot = slot
        self.number = trial.number
        self._trial = trial
        self._folder = folder
        self._claim = claim
        self._environment = environment
        self._run = RunFolder(folder.run_folder(trial.number))
        self._evaluations = Evaluations(folder.run_folder(trial.number) / 'metrics.jsonl')
        self._start()

    @property
    def trial(self) -> Trial:
        """What is known of the trial by now."""
        seconds = self._trial.seconds + time.time() - self._since
        return dataclasses.replace(self._trial, seconds=round(seconds, 1))

    @property
    def log(self) -> str:
        """What the processes of the trial have said."""
        return self._folder.log(self.number).read_text(errors='replace')

    @property
    def last_words(self) -> str:
        """The last line of the log."""
        lines = [line.strip() for line in self.log.splitlines() if line.strip()]
        return lines[-1][:_EXCERPT] if lines else ''

    def restart(self) -> None:
        """Starts the process again: it continues the run."""
        self._trial = self.trial
        self._start()

    def _start(self) -> None:
        self._since = time.time()
        with open(self._folder.log(self.number), 'a') as log:
            self._process = subprocess.Popen(
                self._trial.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                pass_fds=(self._claim.fileno(),),
                # Ctrl-C is for the sweep, which passes it on.
                start_new_session=True,
            )

    def status(self) -> int | None:
        """Returns the exit status, None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Asks the run to save its state and to end."""
        if self.status() is None:
            self._process.send_signal(signal.SIGTERM)

    def new_evaluations(self) -> list[dict[str, Any]]:
        """Returns the evaluations that were not there before."""
        return list(self._evaluations.new())

    def evaluations(self) -> list[dict[str, Any]]:
        """Returns all evaluations."""
        return [row for row in self._run.read_metrics() if row['kind'] == 'eval']

    def release(self) -> None:
        """Leaves the trial to whoever takes it up."""
        self._claim.close()
