"""From a run folder to a folder of its own, whole or not at all."""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import tensorflow as tf
from etils import epath

from garden.core.errors import StorageError, UserError, did_you_mean
from garden.engine import config as config_lib
from garden.engine.experiment import Phase, Runtime, experiment
from garden.engine.run_folder import RunFolder
from garden.engine.trainer import Trainer
from garden.export import saved_model
from garden.export.card import Card

CHECKPOINTS = ('best', 'last')
_CARD = 'card.json'


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
      path: the folder: saved_model/, README.md, card.json, config.gin.
      card: what it is.
    """

    path: epath.Path
    card: Card


def export_run(
    run_dir: epath.PathLike,
    export_dir: epath.PathLike | None = None,
    checkpoint: str = 'best',
) -> Exported:
    """Exports the last phase that a run has begun.

    Args:
      run_dir: the run folder.
      export_dir: where to; None for 'export' in the run folder. An export that is there is
        replaced.
      checkpoint: 'best', which takes the last where the run has kept no best one, or 'last'.

    Raises:
      UserError: if `run_dir` is no run folder, has no checkpoint, or its task exports nothing.
      StorageError: if it cannot be written; an export that was there is kept.
    """
    folder = RunFolder(run_dir, write=False, trains=False)
    config = config_lib.load(str(folder.stored_config))
    return export(config, folder, export_dir, checkpoint)


def export(
    config: config_lib.Config,
    folder: RunFolder,
    export_dir: epath.PathLike | None = None,
    checkpoint: str = 'best',
) -> Exported:
    """As `export_run`, of a configuration that gin holds."""
    if checkpoint not in CHECKPOINTS:
        raise UserError(
            f'There is no checkpoint {checkpoint!r} to export.'
            f'{did_you_mean(checkpoint, CHECKPOINTS)} Choices: {", ".join(CHECKPOINTS)}.'
        )
    directory = epath.Path(export_dir or folder.export)
    exported: list[Exported] = []

    def write(phase: Phase, trainer: Trainer, kind: str) -> None:
        functions = trainer.task.signatures()
        if not functions:
            raise UserError(
                f'{type(trainer.task).__name__} has no signatures (Task.signatures): there is '
                'nothing to export.'
            )
        signatures = saved_model.trace(functions)
        card = _card(config, folder, phase, trainer, kind, saved_model.describe(signatures))
        with _replacing(directory) as scratch:
            saved_model.write(signatures, scratch / 'saved_model')
            (scratch / _CARD).write_text(card.to_json())
            (scratch / 'README.md').write_text(card.to_markdown())
            (scratch / 'config.gin').write_text(config.text)
        exported.append(Exported(directory, card))

    # No strategy: one would leave the names of its devices in the graph.
    runtime = Runtime(
        strategy=tf.distribute.get_strategy(),
        folder=folder,
        mode='export',
        checkpoint=checkpoint,
        export=write,
    )
    experiment(runtime)
    return exported[0]


def _card(
    config: config_lib.Config,
    folder: RunFolder,
    phase: Phase,
    trainer: Trainer,
    kind: str,
    signatures: Mapping[str, Any],
) -> Card:
    step = int(trainer.global_step.numpy())
    fields = config.header.fields
    return Card(
        experiment=config.name,
        summary=config.header.summary,
        source=fields.get('Paper', ''),
        licence=fields.get('Licence', ''),
        phase=phase.name,
        step=step,
        checkpoint=kind,
        metrics=folder.evaluation_at(phase.name, step),
        data=trainer.task.facts(),
        signatures=signatures,
    )


@contextlib.contextmanager
def _replacing(directory: epath.Path) -> Iterator[epath.Path]:
    """Yields an empty folder that takes the place of `directory` when the context ends well."""
    scratch, old = (directory.with_name(f'.{directory.name}.{end}') for end in ('new', 'old'))
    if directory.exists() and not (directory / _CARD).exists():
        raise UserError(
            f'{directory} holds something else than an export: give another --export_dir.'
        )
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
            f'{directory} cannot be written ({reason}). Make room or give another --export_dir, '
            'then run the same command again.'
        ) from error
    finally:
        with contextlib.suppress(OSError):
            if scratch.exists():
                scratch.rmtree()
