"""Orbit's outer loop on a schedule that does not depend on where a run was resumed."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import orbit
import tensorflow as tf

from garden.core.bad_examples import BadExample
from garden.core.errors import UserError
from garden.engine.checkpoints import Checkpoints
from garden.engine.events import begin_session
from garden.engine.interruption import Interrupted, Interruption
from garden.engine.progress import Progress
from garden.engine.strategy import agreed, of_several_workers
from garden.engine.trainer import Trainer

Metrics = Mapping[str, float]


class Diverged(UserError):
    """A training scalar or a weight is not finite any more, too often or with no way back."""


class Observer(Protocol):
    """Someone who is told what happens in a phase: a progress line, a file of metrics."""

    def trained(self, step: int, metrics: Metrics) -> None:
        """Steps were taken, up to `step`; `metrics` are means over them."""

    def evaluated(self, step: int, metrics: Metrics, pictures: Mapping[str, np.ndarray]) -> None:
        """The state after `step` steps was evaluated."""

    def recovered(self, step: int, restored: int, what: Sequence[str]) -> None:
        """At `step`, `what` was not finite; the phase went back to the state after `restored`."""

    def skipped(self, bad: Sequence[BadExample]) -> None:
        """Examples could not be used and are left out from now on."""


class Controller(orbit.Controller):
    """Trains, evaluates and saves at multiples of given intervals, counted from step 0.

    Orbit counts its intervals from wherever a process started, so a resumed run evaluates and saves
    at other steps than an uninterrupted one, and includes evaluation in the step rate.

    Args:
      trainer: the trainer, whose training data is opened after the restore.
      progress: the phase's progress.
      checkpoints: the phase's checkpoints; None saves nothing.
      steps_per_loop: steps between two returns to Python.
      eval_interval: steps between evaluations.
      checkpoint_interval: steps between checkpoints.
      observers: told of everything.
      summary_dir: where TensorBoard's events go, in 'train' and 'eval' below it.
      interruption: tells when to stop.
      description: the configuration's text, for TensorBoard.
      max_recoveries: how often the phase may go back to its last checkpoint because training
        diverged, each time with another order of the data.
    """

    def __init__(
        self,
        trainer: Trainer,
        progress: Progress,
        checkpoints: Checkpoints | None,
        steps_per_loop: int,
        eval_interval: int,
        checkpoint_interval: int,
        observers: Sequence[Observer] = (),
        summary_dir: str | None = None,
        interruption: Interruption | None = None,
        description: str = '',
        max_recoveries: int = 0,
    ):
        super().__init__(
            global_step=trainer.global_step,
            trainer=trainer,
            evaluator=trainer,
            strategy=trainer.strategy,
            steps_per_loop=steps_per_loop,
            summary_dir=summary_dir and f'{summary_dir}/train',
            eval_summary_dir=summary_dir and f'{summary_dir}/eval',
        )
        if description:
            for manager in (self.summary_manager, self.eval_summary_manager):
                with manager.summary_writer().as_default():
                    tf.summary.text('configuration', f'```\n{description}```', step=0)
        self._progress = progress
        self._checkpoints = checkpoints
        self._intervals = (steps_per_loop, eval_interval, checkpoint_interval)
        self._observers = observers
        self._interruption = interruption or Interruption()
        self._max_recoveries = max_recoveries
        trainer.skipper.tell = self._report_skipped

    def begin_events(self, again: bool = False) -> None:
        """Makes TensorBoard drop what was recorded beyond the present step: it is recorded anew.

        Args:
          again: whether the evaluation of the present step is, too.
        """
        step = self._progress.step + 1
        begin_session(self.summary_manager, step)
        begin_session(self.eval_summary_manager, step - again)

    def train(self, steps: int, checkpoint_at_completion: bool = True) -> None:
        """Trains up to `steps`, without evaluation."""
        self._advance(steps, evaluate=False)
        if checkpoint_at_completion:
            self._save(finish=True)

    def train_and_evaluate(
        self, train_steps: int, eval_steps: int = -1, eval_interval: int | None = None
    ) -> Metrics | None:
        """Trains up to `train_steps`, evaluating on the way and at the end.

        Returns:
          The metrics of the last evaluation made, None if the phase was complete before.

        Raises:
          Diverged: if a number is not finite once too often; that state is not saved.
          Interrupted: if asked to stop; the state is saved.
        """
        del eval_interval  # Fixed at construction, with the other intervals.
        metrics = self._advance(train_steps, evaluate=True, eval_steps=eval_steps)
        self._save(finish=True)
        return metrics

    def _advance(self, train_steps: int, evaluate: bool, eval_steps: int = -1) -> Metrics | None:
        _, eval_interval, save_interval = self._intervals
        metrics = None
        if self._progress.step == 0:
            self._save()  # There is always a state to go back to.
        # One of several workers cannot leave a loop by itself: they agree at the end of it.
        halt = (lambda: None) if of_several_workers(self.strategy) else self.trainer.halt
        with self._interruption.telling(halt):
            while (step := self._progress.step) < train_steps and not self._progress.exhausted:
                # Asked to stop, a run leaves the evaluation of its last step to the next.
                left = step and step % eval_interval == 0 and not self._progress.judged
                if evaluate and left:
                    metrics = self.evaluate(eval_steps)
                due = min(train_steps, *(step - step % n + n for n in self._intervals))
                bad = self._train_n_steps(due - step)
                step = self._progress.step
                evaluates = evaluate and (step % eval_interval == 0 or step == train_steps)
                stops = agreed(self.strategy, self._interruption.requested)
                saves = step % save_interval == 0 or stops
                if not bad and (evaluates or saves) and not self.trainer.finite():
                    bad = ['a weight']
                if bad:
                    self._recover(step, bad)
                    continue
                if stops:
                    self._save(finish=True)
                    raise Interrupted
                if evaluates:
                    metrics = self.evaluate(eval_steps)
                if saves:
                    self._save()
        return metrics

    def _save(self, finish: bool = False) -> None:
        if self._checkpoints is not None:
            self._checkpoints.save(self._progress.step)
            if finish:
                self._checkpoints.finish()

    def _recover(self, step: int, bad: Sequence[str]) -> None:
        """Goes back to the last checkpoint, to go on from there with other batches."""
        attempt = self._progress.recoveries + 1
        what = ', '.join(bad)
        if self._checkpoints is None or attempt > self._max_recoveries:
            again = f' for the {attempt}th time' if attempt > 1 else ''
            raise Diverged(
                f'Training diverged{again}: {what} is not finite at step {step}. That state was '
                'not saved. Lower the learning rate, clip the gradient (clip_norm of the '
                'optimizer) or allow more tries (phase.max_recoveries), and run again with '
                '--allow_config_change to go on, or in another --model_dir.'
            )
        restored = self._checkpoints.restore_latest()
        # The checkpoint does not know of this try, and the next must not repeat it.
        self._progress.recoveries = attempt
        self.trainer.open_training_data(attempt)
        self.begin_events()
        for observer in self._observers:
            observer.recovered(step, restored or 0, bad)

    def _report_skipped(self, bad: Sequence[BadExample]) -> None:
        for observer in self._observers:
            observer.skipped(bad)

    def _train_n_steps(self, num_steps: int) -> list[str]:
        """Takes steps and reports them; returns the names of the scalars that are not finite."""
        start, first = time.perf_counter(), self._progress.step
        output = self.trainer.train(tf.constant(num_steps, tf.int32))
        metrics = _numbers(output or {})
        step = self._progress.step
        if step == first:  # Asked to stop before it began.
            return []
        rate = (step - first) / (time.perf_counter() - start)
        metrics['steps_per_second'] = rate
        metrics['examples_per_second'] = rate * self.trainer.examples_per_step
        self.summary_manager.write_summaries(metrics)
        self.summary_manager.flush()
        for observer in self._observers:
            observer.trained(step, metrics)
        return [n for n in self.trainer.task.train_scalars if not math.isfinite(metrics[n])]

    def evaluate(self, steps: int = -1) -> Metrics:
        """Evaluates once with the averaged weights, if there are any; -1 means all data."""
        step = self._progress.step
        with self.trainer.evaluation_weights():
            metrics = _numbers(self.trainer.evaluate(tf.constant(steps, tf.int32)) or {})
            pictures = self.trainer.task.pictures(step)
        self.eval_summary_manager.write_summaries(metrics)
        self._write_pictures(step, pictures)
        self.eval_summary_manager.flush()
        if self._progress.judge(metrics) and self._checkpoints is not None:
            self._checkpoints.save_best(step)
        for observer in self._observers:
            observer.evaluated(step, metrics, pictures)
        return metrics

    def _write_pictures(self, step: int, pictures: Mapping[str, np.ndarray]) -> None:
        with self.eval_summary_manager.summary_writer().as_default():
            for name, picture in pictures.items():
                tf.summary.image(name, picture[np.newaxis], step=step)


def _numbers(output: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(np.asarray(value)) for name, value in output.items()}
