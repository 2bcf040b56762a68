"""Weights to start from: those of an earlier phase, of another run, or converted ones."""

from collections.abc import Sequence

import tensorflow as tf
from etils import epath

from garden.convert import network
from garden.core.errors import UserError, did_you_mean
from garden.engine.checkpoints import UNREADABLE, complete, mismatch
from garden.engine.phase import Phase
from garden.engine.run_folder import RunFolder
from garden.engine.trainer import Trainer


def from_checkpoint(path: str | None, trainer: Trainer) -> None:
    """Gives all networks of the task their weights.

    Args:
      path: a checkpoint, a folder whose last one is taken, or another project's file of weights,
        for a task of one network; None does nothing.
      trainer: holds the task.

    Raises:
      UserError: if there is none, or it does not fit.
    """
    if path is None:
        return
    if epath.Path(path).is_file():
        _fill_from_file(path, trainer)
        return
    found = [path] if tf.io.gfile.exists(f'{path}.index') else complete(epath.Path(path))
    if not found:
        raise UserError(
            f'--init_checkpoint={path} is no checkpoint, no folder that holds one, and no file of '
            'weights.'
        )
    _fill(trainer.task, _networks(trainer), found[-1], trainer.strategy, '--init_checkpoint')


def _networks(trainer: Trainer) -> list[str]:
    networks = list(trainer.task.models())
    if not networks:
        raise UserError(
            f'--init_checkpoint: {type(trainer.task).__name__} names no network (Task.models) to '
            'fill; use phase.warm_start.'
        )
    return networks


def _fill_from_file(path: str, trainer: Trainer) -> None:
    networks = _networks(trainer)
    if len(networks) > 1:
        raise UserError(
            f'--init_checkpoint={path} is a file of one network, and '
            f'{type(trainer.task).__name__} has {", ".join(networks)}: make a checkpoint of it '
            'with the command convert (--attribute), and name it in phase.warm_start.'
        )
    with trainer.strategy.scope():
        try:
            network.fill_from_file(getattr(trainer.task, networks[0]), path)
        except UserError as error:
            raise UserError(
                f'--init_checkpoint={path}: {error} Other flags than this one are those of the '
                'command convert, which makes a checkpoint of a file.'
            ) from error


def from_phases(phase: Phase, earlier: Sequence[str], folder: RunFolder, trainer: Trainer) -> None:
    """Fills the attributes that `phase.warm_start` names.

    Args:
      phase: the phase that begins.
      earlier: the names of the phases before it.
      folder: the run's.
      trainer: holds the task of the phase.

    Raises:
      UserError: if an origin is neither an earlier phase nor a checkpoint, or does not fit.
    """
    for attribute, origin in phase.warm_start:
        if origin in earlier:
            source = tf.train.latest_checkpoint(str(folder.checkpoints(origin)))
        else:
            source = origin if tf.io.gfile.glob(f'{origin}.index') else None
        if source is None:
            raise UserError(
                f'phase.warm_start of {phase.name!r} takes {attribute!r} from {origin!r}, which is '
                f'neither an earlier phase ({", ".join(earlier) or "there is none"}) nor a '
                f'checkpoint.{did_you_mean(origin, earlier)}'
            )
        _fill(trainer.task, [attribute], source, trainer.strategy, 'phase.warm_start')


def _fill(
    task: tf.Module,
    attributes: Sequence[str],
    source: str,
    strategy: tf.distribute.Strategy,
    setting: str,
) -> None:
    """Restores some attributes of a task from a checkpoint, all of each or an error.

    `setting` is what asked for it, for messages.
    """
    for attribute in attributes:
        if not hasattr(task, attribute):
            raise UserError(
                f'{setting} names {attribute!r}, which {type(task).__name__} does not have.'
            )
        part = tf.train.Checkpoint(**{attribute: getattr(task, attribute)})
        with strategy.scope():
            try:
                status = tf.train.Checkpoint(task=part).read(source).expect_partial()
                status.assert_existing_objects_matched()
            except (AssertionError, ValueError, *UNREADABLE) as error:
                raise UserError(
                    f'{setting}: {attribute!r} of {type(task).__name__} cannot be filled '
                    f'from {source}: {mismatch(error)}.'
                ) from error
