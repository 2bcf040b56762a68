"""Saving and restoring a phase: its last checkpoints, its best, parts of an earlier phase.

The parts of a checkpoint are written beside the others and named when they are whole; its index
file is the last to appear, so whatever has one is complete, unless a kill cuts the index itself
short. Tables and tensors carry checksums: a damaged file shows when it is read, and the one before
it is taken.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from absl import logging
from etils import epath

from garden.core.errors import StorageError, UserError
from garden.engine.failures import passing_failure
from garden.engine.replica_state import ReplicaState
from garden.engine.strategy import of_all

UNREADABLE = (tf.errors.OpError, IndexError)
_PREFIX = 'ckpt'
_SHOWN = 200


class Checkpoints:
    """The checkpoints of one phase, numbered by step.

    Args:
      directory: where the last `keep` checkpoints are written.
      best_directory: where the best one is written.
      strategy: in whose scope variables are restored.
      objects: what to save, by name, e.g. the task and its progress.
      keep: how many of the last checkpoints to keep.
      read_from: the folder of another process whose checkpoints are read; None for `directory`. It
        is left as it is: that process may be writing.
      background: whether a thread writes while training goes on; the values are those of the call.
    """

    def __init__(
        self,
        directory: epath.PathLike,
        best_directory: epath.PathLike,
        strategy: tf.distribute.Strategy,
        objects: dict[str, tf.Module],
        keep: int = 3,
        read_from: epath.PathLike | None = None,
        background: bool = False,
    ):
        self.directory = epath.Path(read_from or directory)
        self._strategy = strategy
        variables = [v for module in objects.values() for v in module.variables]
        self._replicas = ReplicaState(variables, strategy)
        of_replicas = {self._replicas.name_in_checkpoint: self._replicas}
        self._of_replicas = tf.train.Checkpoint(**of_replicas)
        self._shared = tf.train.Checkpoint(**objects)
        self._checkpoint = tf.train.Checkpoint(**objects, **of_replicas)
        self._options = tf.train.CheckpointOptions(enable_async=background)
        self._last = self._manager(directory, keep)
        self._best = self._manager(best_directory, 1)
        self._present: int | None = None
        self._in_use: set[epath.Path] = set()

    def _manager(self, directory: epath.PathLike, keep: int) -> tf.train.CheckpointManager:
        tidy(epath.Path(directory))
        return tf.train.CheckpointManager(
            self._checkpoint, str(directory), max_to_keep=keep, checkpoint_name=_PREFIX
        )

    def save(self, step: int) -> None:
        """Saves the state after `step` steps unless it was read or written just now.

        Raises:
          StorageError: if this checkpoint, or the one that was being written, cannot be.
        """
        if step != self._present:
            self._save(self._last, step)
            self._present = step

    def save_best(self, step: int) -> None:
        """Saves the state after `step` steps as the best so far."""
        self._save(self._best, step)

    def finish(self) -> None:
        """Returns when everything is written.

        Raises:
          StorageError: if what was being written cannot be.
        """
        with self._explained(self._last):
            self._settle()

    @contextlib.contextmanager
    def finished(self) -> Iterator[None]:
        """Finishes at the end of the context; after an error, whatever comes of it."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(StorageError):
                self.finish()
            raise
        self.finish()

    def _settle(self) -> None:
        """Waits for what is being written in the background, and raises what it has raised."""
        self._checkpoint.sync()
        # TensorFlow would tell of it at the next save only; of the last save, never.
        writer = self._checkpoint._async_checkpointer_impl
        if writer is not None and writer._async_error is not None:
            error, writer._async_error = writer._async_error, None
            raise error

    def _save(self, manager: tf.train.CheckpointManager, step: int) -> None:
        with self._explained(manager):
            self._settle()
        self._require_folders()  # TensorFlow would make them anew.
        self._replicas.collect()
        # The manager counts one up; a count of calls would tell a resumed run from a straight one.
        self._checkpoint.save_counter.assign(step)
        with self._explained(manager):
            manager.save(checkpoint_number=step, options=self._options)
            self._in_use.add(epath.Path(manager.directory))

    def _require_folders(self) -> None:
        for directory in self._in_use:
            if not directory.exists():
                raise StorageError(
                    f'{directory} is gone: it was removed while this process was using it.'
                )

    @contextlib.contextmanager
    def _explained(self, manager: tf.train.CheckpointManager) -> Any:
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            self._require_folders()
            with contextlib.suppress(OSError, tf.errors.OpError):
                tidy(epath.Path(manager.directory))
            raise StorageError(
                f'A checkpoint cannot be written to {manager.directory} ({_reason(error)}); those '
                'before it are untouched. Make room or mend the folder, then run the same command '
                'again.'
            ) from error

    def restore_latest(self) -> int | None:
        """Restores the newest checkpoint that can be read; returns its step, or None without any.

        A damaged checkpoint is named in the log and the one before it is taken.

        Raises:
          UserError: if there are checkpoints and none can be read, the newest that can belongs to
            another model, or several workers find different ones.
        """
        self.finish()
        of_all(self._strategy, 0)  # From here on, what the chief was writing is there for all.
        paths = complete(self.directory)
        self._require_agreement(step_of(paths[-1]) if paths else -1)
        for path in reversed(paths):
            if self.try_restore(path):
                self._present = step_of(path)
                self._in_use.add(self.directory)
                return self._present
        if paths:
            raise UserError(
                f'None of the checkpoints in {self.directory} can be read. Remove the folder to '
                'start afresh.'
            )
        return None

    def try_restore(self, path: str) -> bool:
        """Restores from `path`; returns False, and names it in the log, if it is damaged.

        Raises:
          UserError: if the checkpoint lacks something that the task has.
        """
        try:
            self.restore(path)
        except UNREADABLE as error:
            if passing_failure(error, self._strategy) is not None:
                raise
            logging.warning('%s cannot be read (%s): it is skipped.', path, _reason(error))
            return False
        return True

    def _require_agreement(self, newest: int) -> None:
        """Makes sure that all workers see the same newest step: restoring is a joint act."""
        steps = of_all(self._strategy, newest)
        if len(set(steps)) > 1:
            with contextlib.suppress(tf.errors.OpError):
                of_all(self._strategy, 0)  # None leaves before all know.
            found = ', '.join('none' if n < 0 else f'that of step {n}' for n in steps)
            raise UserError(
                f'The workers do not find the same checkpoint in {self.directory}, but {found}: '
                'they need one --model_dir, on a file system that all share.'
            )

    def restore(self, path: str) -> None:
        """Restores everything from `path`.

        Raises:
          UserError: if the checkpoint lacks something that the task has.
        """
        with self._strategy.scope():
            try:
                status = self._shared.restore(path).expect_partial()
                status.assert_existing_objects_matched()
            except (AssertionError, ValueError) as error:
                raise UserError(
                    f'{path} does not fit this configuration: {mismatch(error)}. '
                    'Start in another --model_dir.'
                ) from error
            try:
                status = self._of_replicas.restore(path).expect_partial()
                status.assert_existing_objects_matched()
            except AssertionError:
                return  # Written by another number of replicas.
            self._replicas.hand_out()


def step_of(path: str) -> int:
    """Returns the step that a checkpoint's name states."""
    return int(path.rsplit('-', 1)[1])


def complete(directory: epath.Path) -> list[str]:
    """Returns the complete checkpoints in a folder, oldest step first, whatever its notes say."""
    if not directory.exists():
        return []
    found = [
        str(path).removesuffix('.index')
        for path in directory.glob(f'{_PREFIX}-*.index')
        if path.stem.removeprefix(f'{_PREFIX}-').isdecimal()
    ]
    return sorted(found, key=step_of)


def tidy(directory: epath.Path) -> None:
    """Removes what a killed process left half-written, and notes all that is whole.

    TensorFlow reads from a file named 'checkpoint' which checkpoints there are; without it, or with
    one that a crash has cut short, a run would silently start anew.
    """
    if not directory.exists():
        return
    paths = complete(directory)
    for path in directory.iterdir():
        if not path.name.startswith(f'{_PREFIX}-'):
            continue
        if path.is_dir():  # The parts of a checkpoint that was never put together.
            path.rmtree()
        elif str(path).split('.data-')[0] not in paths and '.data-' in path.name:
            path.unlink()
    try:
        state = tf.train.get_checkpoint_state(str(directory))
        noted = list(state.all_model_checkpoint_paths) if state else []
    except (ValueError, tf.errors.OpError):
        noted = []
    if noted != paths:
        tf.compat.v1.train.update_checkpoint_state(
            str(directory), paths[-1] if paths else '', all_model_checkpoint_paths=paths
        )


def mismatch(error: Exception) -> str:
    """Returns the gist of TensorFlow's complaint: variables without a value, or other shapes."""
    names = dict.fromkeys(re.findall(r"Variable '([^':]+)", str(error)))
    if isinstance(error, AssertionError) and names:
        return f'it has no value for {", ".join(list(names)[:3])}'
    return _reason(error)


def _reason(error: BaseException) -> str:
    text = getattr(error, 'message', None) or str(error) or type(error).__name__
    line = text.strip().splitlines()[0].rstrip('.')
    return line if len(line) <= _SHOWN else f'...{line[-_SHOWN:]}'  # A path first, then why.
