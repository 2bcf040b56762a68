"""From a run folder to a folder of its own, whole or not at all."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from etils import epath

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.engine import config as config_lib
from garden.engine.experiment import Phase, Runtime, experiment
from garden.engine.replacing import replacing
from garden.engine.run_folder import RunFolder
from garden.engine.trainer import Trainer
from garden.export import formats as formats_lib
from garden.export import saved_model
from garden.export.card import Card

CARD = 'card.json'


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was exported.

    Attributes:
      path: the folder: saved_model/, a folder for each other format, README.md, card.json,
        config.gin.
      card: what it is.
    """

    path: epath.Path
    card: Card


def export_run(
    run_dir: epath.PathLike,
    export_dir: epath.PathLike | None = None,
    checkpoint: str = 'best',
    formats: Sequence[str] = (),
) -> Exported:
    """Exports the last phase that a run has begun.

    Args:
      run_dir: the run folder.
      export_dir: where to; None for 'export' in the run folder. An export that is there is
        replaced.
      checkpoint: 'best', which takes the last where the run has kept no best one, or 'last'.
      formats: what to write beside the SavedModel, of `formats.FORMATS`.

    Raises:
      UserError: if `run_dir` is no run folder, has no checkpoint, or its task exports nothing; or,
        with all the rest exported, if a format holds nothing that is close to the SavedModel.
      StorageError: if it cannot be written; an export that was there is kept.
    """
    folder = RunFolder(run_dir, write=False, trains=False)
    config = config_lib.load(str(folder.stored_config))
    return export(config, folder, export_dir, checkpoint, formats)


def export(
    config: config_lib.Config,
    folder: RunFolder,
    export_dir: epath.PathLike | None = None,
    checkpoint: str = 'best',
    formats: Sequence[str] = (),
) -> Exported:
    """As `export_run`, of a configuration that gin holds."""
    formats_lib.check_names(formats)
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
        with replacing(directory, 'an export', _is_export, '--export_dir') as scratch:
            card = _write(scratch, card, signatures, trainer, formats)
            (scratch / 'config.gin').write_text(config.text)
        exported.append(Exported(directory, card))
        _require_all(card, directory)

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


def _write(
    folder: epath.Path,
    card: Card,
    signatures: saved_model.Signatures,
    trainer: Trainer,
    formats: Sequence[str],
) -> Card:
    """Writes all but the configuration, and returns the card with what the formats came to."""
    saved_model.write(signatures, folder / formats_lib.SAVED_MODEL)
    feed = Feed(seed=trainer.seed)
    converted = formats_lib.convert_all(formats, trainer.task, signatures, feed, folder)
    made = {name: dataclasses.asdict(one) for name, one in converted.items()}
    card = dataclasses.replace(card, formats=made)
    (folder / CARD).write_text(card.to_json())
    (folder / 'README.md').write_text(card.to_markdown())
    return card


def _require_all(card: Card, directory: epath.Path) -> None:
    for kind, made in card.formats.items():
        if not made['files']:
            reasons = '; '.join(f'{name}: {why}' for name, why in made['left_out'].items())
            raise UserError(
                f'Nothing of this task can be had as {kind} ({reasons}). All else is in '
                f'{directory}: leave {kind} out of --export_formats.'
            )


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


def _is_export(folder: epath.Path) -> bool:
    return (folder / CARD).exists()
