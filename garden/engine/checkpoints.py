"""Saving and restoring a phase: its last checkpoints, its best, parts of an earlier phase."""

import os
import re
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from absl import logging
from etils import epath

from garden.core.errors import UserError

_UNREADABLE = (tf.errors.OpError, IndexError)


class Checkpoints:
    """The checkpoints of one phase, numbered by step.

    Args:
      directory: where the last `keep` checkpoints lie.
      best_directory: where the best one lies.
      strategy: in whose scope variables are restored.
      objects: what to save, by name, e.g. the task and its progress.
      keep: how many of the last checkpoints to keep.
      scratch: on a worker that only reads these folders, where to put what it writes: writing takes
        all workers, for some values are spread over them.
    """

    def __init__(
        self,
        directory: epath.PathLike,
        best_directory: epath.PathLike,
        strategy: tf.distribute.Strategy,
        objects: dict[str, tf.Module],
        keep: int = 3,
        scratch: epath.PathLike | None = None,
    ):
        self.directory = str(directory)
        self._strategy = strategy
        self._checkpoint = tf.train.Checkpoint(**objects)
        self._objects = objects
        self._last = self._manager(directory, keep, scratch)
        self._best = self._manager(best_directory, 1, scratch)
        self._present: int | None = None

    def _manager(
        self, directory: epath.PathLike, keep: int, scratch: epath.PathLike | None
    ) -> tf.train.CheckpointManager:
        if scratch is not None:
            directory = epath.Path(scratch) / epath.Path(directory).name
        return tf.train.CheckpointManager(self._checkpoint, str(directory), max_to_keep=keep)

    def save(self, step: int) -> None:
        """Saves the state after `step` steps unless it was read or written just now."""
        if step != self._present:
            self._save(self._last, step)
            self._present = step

    def save_best(self, step: int) -> None:
        """Saves the state after `step` steps as the best so far."""
        self._save(self._best, step)

    def _save(self, manager: tf.train.CheckpointManager, step: int) -> None:
        self._merge_statistics()
        try:
            manager.save(checkpoint_number=step)
        except tf.errors.OpError as error:
            raise UserError(
                f'The checkpoint of step {step} cannot be written to {manager.directory} '
                f'({_reason(error)}); the one before is untouched. Make room or mend the folder, '
                'then run the same command again.'
            ) from error

    def _merge_statistics(self) -> None:
        """Gives all replicas the mean of the statistics that each gathers on its own.

        That is what a checkpoint holds, so a run that goes on must hold it too if a resumed one is
        to be equal.
        """
        if self._strategy.num_replicas_in_sync == 1:
            return
        for variable in _variables(self._objects):
            own = variable.synchronization == tf.VariableSynchronization.ON_READ
            if own and variable.aggregation == tf.VariableAggregation.MEAN:
                variable.assign(variable.read_value())

    def restore_latest(self) -> int | None:
        """Restores the newest checkpoint that can be read; returns its step, or None without any.

        A damaged checkpoint is named in the log and the one before it is taken.

        Raises:
          UserError: if there are checkpoints and none can be read, or the newest that can
            belongs to another model.
        """
        state = tf.train.get_checkpoint_state(self.directory)
        paths = list(reversed(state.all_model_checkpoint_paths)) if state else []
        for path in paths:
            try:
                self.restore(path)
                self._present = step_of(path)
                return self._present
            except _UNREADABLE as error:
                logging.warning('%s is damaged (%s); trying the one before.', path, _reason(error))
        if paths:
            raise UserError(
                f'None of the checkpoints in {self.directory} can be read. Remove the folder '
                'to start afresh.'
            )
        return None

    def restore(self, path: str) -> None:
        """Restores everything from `path`.

        Raises:
          UserError: if the checkpoint lacks something that the task has.
        """
        try:
            with self._strategy.scope():
                status = self._checkpoint.restore(path)
            status.assert_existing_objects_matched()
        except (AssertionError, ValueError) as error:
            raise UserError(
                f'{path} does not fit this configuration: {_mismatch(error)}. '
                'Start in another --model_dir.'
            ) from error
        # Silences the warnings about the save counter and the like at the end of the process.
        status.expect_partial()


def warm_start(
    task: tf.Module, attributes: Sequence[str], source: str, strategy: tf.distribute.Strategy
) -> None:
    """Restores some attributes of a task from a phase's checkpoint, all of each or an error.

    Args:
      task: the new task.
      attributes: names of attributes that both tasks have, e.g. ('model', 'optimizer').
      source: path of a checkpoint written by `Checkpoints`.
      strategy: in whose scope the variables are restored.

    Raises:
      UserError: for an attribute that the task lacks or the checkpoint does not fill.
    """
    for attribute in attributes:
        if not hasattr(task, attribute):
            raise UserError(
                f'phase.warm_start names {attribute!r}, which {type(task).__name__} does not have.'
            )
        part = tf.train.Checkpoint(**{attribute: getattr(task, attribute)})
        with strategy.scope():
            try:
                status = tf.train.Checkpoint(task=part).restore(source)
                status.assert_existing_objects_matched()
            except (AssertionError, ValueError) as error:
                raise UserError(
                    f'phase.warm_start: {attribute!r} of {type(task).__name__} cannot be filled '
                    f'from {source}: {_mismatch(error)}.'
                ) from error
            status.expect_partial()


def step_of(path: str) -> int:
    """Returns the step that a checkpoint's name states."""
    return int(os.path.basename(path).rsplit('-', 1)[1])


def _variables(objects: dict[str, tf.Module]) -> list[tf.Variable]:
    found: dict[Any, tf.Variable] = {}
    for module in objects.values():
        found.update((v.ref(), v) for v in module.variables)
    return list(found.values())


def _mismatch(error: AssertionError | ValueError) -> str:
    """Returns the gist of TensorFlow's complaint: variables without a value, or other shapes."""
    names = dict.fromkeys(re.findall(r"Variable '([^':]+)", str(error)))
    if isinstance(error, AssertionError) and names:
        return f'it has no value for {", ".join(list(names)[:3])}'
    return _reason(error)


def _reason(error: BaseException) -> str:
    text = getattr(error, 'message', None) or str(error) or type(error).__name__
    return text.strip().splitlines()[0].rstrip('.')[:200]
