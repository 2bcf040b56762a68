"""Runs the trials of a sweep, each in a process of its own, up to the number asked for."""

import dataclasses
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Protocol

from garden.core.errors import UserError, did_you_mean
from garden.engine.interruption import EXIT_STATUS, Interruption
from garden.sweep.engine import Engine
from garden.sweep.folder import (
    COMPLETE,
    DIVERGED,
    FAILED,
    PRUNED,
    RUNNING,
    SweepFolder,
    Trial,
    best,
)
from garden.sweep.metrics import outcome
from garden.sweep.plan import Sweep
from garden.sweep.process import TrialProcess
from garden.sweep.space import Point

# Saved and to be continued; or asked to stop before it could save anything.
_STOPPED = (EXIT_STATUS, -signal.SIGTERM)
_RESTARTS = 3
_SECONDS_BETWEEN_LOOKS = 0.3
_SECONDS_BETWEEN_QUESTIONS = 2.0


class Watcher(Protocol):
    """Someone who is told what happens in a sweep."""

    def started(self, trial: Trial, again: bool) -> None:
        """A trial was started, or an interrupted one continued."""

    def ended(self, trial: Trial, best: Trial | None) -> None:
        """A trial has come to an end; `best` is the best so far."""

    def warned(self, message: str) -> None:
        """Something is odd."""

    def waiting(self, numbers: Sequence[int]) -> None:
        """Only trials of other processes are left."""


@dataclasses.dataclass
class _Judged:
    """A running trial as the sweep sees it."""

    process: TrialProcess
    pruned: bool = False
    restarts: int = 0
    warned: bool = False


class Sweeper:
    """Starts trials, listens to them, ends what is not worth going on with.

    Args:
      sweep: what is searched, and for how long.
      folder: where the trials lie.
      engine: an engine that is open.
      limit: how many trials there are to be.
      command: makes the command of a trial, of its number and point.
      slots: the environment of each of the trials that run at a time.
      watcher: is told what happens.
    """

    def __init__(
        self,
        sweep: Sweep,
        folder: SweepFolder,
        engine: Engine,
        limit: int,
        command: Callable[[int, Point], Sequence[str]],
        slots: Sequence[Mapping[str, str]],
        watcher: Watcher,
    ):
        self._sweep = sweep
        self._folder = folder
        self._engine = engine
        self._limit = limit
        self._command = command
        self._slots = slots
        self._watcher = watcher
        self._running: list[_Judged] = []
        self._failures = 0

    def run(self, interruption: Interruption) -> bool:
        """Returns True when all trials have ended, and False if it was interrupted before.

        Raises:
          UserError: if trials fail one after the other, or have no such metric.
        """
        asked = 0.0
        try:
            while not interruption.requested:
                if time.monotonic() - asked > _SECONDS_BETWEEN_QUESTIONS:
                    if not self._fill():
                        asked = time.monotonic()
                    if not self._running and self._complete():
                        return True
                if self._look():
                    asked = 0.0
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            return False
        finally:
            self._stop()

    def _complete(self) -> bool:
        """Whether every trial has ended, whoever has run it."""
        left = [trial.number for trial in self._folder.trials() if trial.state == RUNNING]
        if left:
            self._watcher.waiting(left)
        return not left

    def _fill(self) -> bool:
        """Starts as many trials as there is room for; returns whether there was one for each."""
        while free := sorted({*range(len(self._slots))} - {j.process.slot for j in self._running}):
            process = self._next(free[0])
            if process is None:
                return False
            self._running.append(_Judged(process))
        return True

    def _next(self, slot: int) -> TrialProcess | None:
        """Continues a trial that nobody runs any more, or else begins one; None without either."""
        with self._folder.locked():
            trials = self._folder.trials()
            trial, claim = self._left(trials) or self._new(trials) or (None, None)
            if trial is None or claim is None:
                return None
            return TrialProcess(self._folder, trial, claim, slot, self._slots[slot])

    def _left(self, trials: Sequence[Trial]) -> tuple[Trial, IO[str]] | None:
        """Claims a trial whose process and whose sweep have both ended before it had."""
        for trial in trials:
            claim = self._folder.claim(trial.number) if trial.state == RUNNING else None
            if claim is not None:
                # Paths may be others here than where it was begun.
                command = tuple(self._command(trial.number, trial.point))
                trial = dataclasses.replace(trial, command=command)
                self._folder.write(trial)
                self._watcher.started(trial, again=True)
                return trial, claim
        return None

    def _new(self, trials: Sequence[Trial]) -> tuple[Trial, IO[str]] | None:
        """Asks for a point, and claims a trial for it."""
        proposal = self._engine.ask() if len(trials) < self._limit else None
        if proposal is None:
            return None
        number = trials[-1].number + 1 if trials else 0
        command = tuple(self._command(number, proposal.point))
        trial = Trial(number, proposal.key, proposal.point, command)
        self._folder.write(trial)
        claim = self._folder.claim(number)
        assert claim is not None, 'who asks for trials has the lock'
        self._watcher.started(trial, again=False)
        return trial, claim

    def _look(self) -> bool:
        """Listens to all trials; returns whether one has ended."""
        ended = False
        for judged in list(self._running):
            # Asked first: what a process evaluates before it ends is then read in any case.
            status = judged.process.status()
            self._listen(judged)
            if status is not None:
                ended = self._conclude(judged, status) or ended
        return ended

    def _listen(self, judged: _Judged) -> None:
        """Reports new evaluations, and stops a trial that is not worth going on with."""
        process = judged.process
        for row in process.new_evaluations():
            judged.restarts = 0
            self._warn_of_unused(judged)
            if self._sweep.phase not in (None, row['phase']):
                continue
            if self._sweep.metric not in row:
                self._refuse_metric(process, row)
            value = row[self._sweep.metric]
            if value is None or judged.pruned:
                continue
            with self._folder.locked():
                judged.pruned = self._engine.report(process.trial.key, row['step'], value)
            if judged.pruned:
                process.stop()

    def _warn_of_unused(self, judged: _Judged) -> None:
        """Tells once of settings that are varied and that nothing reads."""
        if judged.warned:
            return
        judged.warned = True
        unused = [s for s in judged.process.log.splitlines() if s.startswith('unused:')]
        for key in judged.process.trial.point:
            if any(key in line for line in unused):
                number = judged.process.number
                self._watcher.warned(f'trial {number}: nothing reads {key}, which is varied.')

    def _conclude(self, judged: _Judged, status: int) -> bool:
        """Restarts a trial that others have stopped; returns whether it has ended."""
        if status in _STOPPED and not judged.pruned and judged.restarts < _RESTARTS:
            judged.restarts += 1
            judged.process.restart()
            return False
        trial = self._end(judged, status)
        self._failures = self._failures + 1 if trial.state == FAILED else 0
        if self._failures == self._sweep.max_failures:
            raise UserError(
                f'{self._failures} trials in a row have failed, the last with {trial.reason} '
                f'({self._folder.log(trial.number)}). Mend that, then run the same command again.'
            )
        return True

    def _end(self, judged: _Judged, status: int) -> Trial:
        """Writes down what a trial came to."""
        trial = self._result(judged, status)
        with self._folder.locked():
            self._engine.tell(trial.key, trial.state, trial.value)
            self._folder.write(trial)
            leader = best(self._folder.trials(), self._sweep.goal)
            self._watcher.ended(trial, leader)
        self._running.remove(judged)
        judged.process.release()
        return trial

    def _result(self, judged: _Judged, status: int) -> Trial:
        process, sweep = judged.process, self._sweep
        rows = process.evaluations()
        found = outcome(rows, sweep.metric, sweep.phase, sweep.value, sweep.goal)
        step, value = found or (None, None)
        reason = ''
        if status == 0 and found and value is not None:
            state = COMPLETE
        elif judged.pruned and status in _STOPPED:
            state = PRUNED
        elif (status == 0 and found) or process.last_words.startswith('error: Training diverged'):
            state, value, reason = DIVERGED, None, process.last_words
        else:
            state, value = FAILED, None
            what = f'no evaluation gives {sweep.metric}' if status == 0 else _told(status)
            reason = f'{what}: {process.last_words}'
        return dataclasses.replace(
            process.trial, state=state, value=value, step=step, reason=reason
        )

    def _refuse_metric(self, process: TrialProcess, row: Mapping[str, Any]) -> None:
        known = sorted({*row} - {'phase', 'kind', 'step'})
        metric = self._sweep.metric
        raise UserError(
            f'sweep.metric = {metric!r}: the evaluation of trial {process.number} in phase '
            f'{row["phase"]} has {", ".join(known)}.{did_you_mean(metric, known)}'
        )

    def _stop(self) -> None:
        """Ends what runs, with everything saved; the trials can be continued."""
        for judged in self._running:
            judged.process.stop()
        while self._running:
            for judged in list(self._running):
                status = judged.process.status()
                if status in _STOPPED and not judged.pruned:
                    self._folder.write(judged.process.trial)
                    self._running.remove(judged)
                    judged.process.release()
                elif status is not None:  # It was done, or has failed, before it was told.
                    self._end(judged, status)
            time.sleep(_SECONDS_BETWEEN_LOOKS)


def _told(status: int) -> str:
    """Returns an exit status in words."""
    return signal.Signals(-status).name if status < 0 else f'status {status}'
