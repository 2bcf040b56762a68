"""From a run, weights or an export, and files, to a table."""

import contextlib
import dataclasses
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from etils import epath

import garden
from garden.core.errors import UserError
from garden.engine import config as config_lib
from garden.engine.experiment import Phase, Runtime, experiment
from garden.engine.replacing import placing, replacing
from garden.engine.run_folder import RunFolder
from garden.engine.trainer import Trainer
from garden.export.formats import SAVED_MODEL
from garden.export.quiet import quiet
from garden.predict.calls import UnreadableError, rows, separately
from garden.predict.columns import Columns
from garden.predict.files import ARRAYS, arrays, contents, find
from garden.predict.output import MARKER, TABLE, Output, is_table
from garden.predict.signature import Signature, choose

_BATCH = 32  # Examples that go through the network at a time.
_TOP = 5


@dataclasses.dataclass(frozen=True)
class Request:
    """What is to be predicted.

    Attributes:
      inputs: files, folders and globs, local or remote.
      output: a folder for a table and pictures, or a file of the table alone: .csv or .jsonl.
      signature: the signature to call, None for the one that takes the input.
      top: how many names of a ranking, e.g. of classes, stand in the table.
    """

    inputs: Sequence[str]
    output: epath.PathLike
    signature: str | None = None
    top: int = _TOP


@dataclasses.dataclass(frozen=True)
class Predicted:
    """What was predicted.

    Attributes:
      path: the output.
      table: the table.
      signature: the signature that was called.
      rows: the rows of the table.
      unreadable: how many files could not be used; they are listed beside the table.
    """

    path: epath.Path
    table: epath.Path
    signature: str
    rows: int
    unreadable: int


def predict_run(run_dir: epath.PathLike, request: Request) -> Predicted:
    """Predicts with the best checkpoint of the last phase that a run has begun.

    Raises:
      UserError: if it is no run folder or has no checkpoint, and as `predict`.
    """
    folder = RunFolder(run_dir, write=False, trains=False)
    return predict_with(config_lib.load(str(folder.stored_config)), folder, request)


def predict_with(config: config_lib.Config, folder: RunFolder, request: Request) -> Predicted:
    """As `predict_run`, of a configuration that gin holds."""
    made: list[Predicted] = []

    def use(phase: Phase, trainer: Trainer, kind: str) -> None:
        functions: Mapping[str, Any] = trainer.task.signatures()
        if not functions:
            raise UserError(
                f'{type(trainer.task).__name__} has no signatures (Task.signatures): there is '
                'nothing to predict with.'
            )
        traced = {name: function.get_concrete_function() for name, function in functions.items()}
        step = int(trainer.global_step.numpy())
        source = {'experiment': config.name, 'run': str(folder.path), 'phase': phase.name}
        made.append(predict(traced, request, {**source, 'checkpoint': kind, 'step': step}))

    experiment(
        Runtime(strategy=tf.distribute.get_strategy(), folder=folder, mode='predict', export=use)
    )
    return made[0]


def predict_export(export_dir: epath.PathLike, request: Request) -> Predicted:
    """Predicts with an export, or with any SavedModel that has signatures.

    Raises:
      UserError: if it is neither, and as `predict`.
    """
    given = epath.Path(export_dir)
    folders = [path for path in (given / SAVED_MODEL, given) if _is_saved_model(path)]
    if not folders:
        raise UserError(
            f'{given} is no export: there is no {SAVED_MODEL} in it. Make one with --mode=export, '
            'or name a run with --model_dir.'
        )
    try:
        model = tf.saved_model.load(str(folders[0]))
    except (OSError, ValueError, tf.errors.OpError) as error:
        reason, *_ = str(error).splitlines() or ['']
        raise UserError(f'{folders[0]} cannot be loaded ({reason}): export it again.') from error
    if not model.signatures:
        raise UserError(f'{folders[0]} has no signatures: there is nothing to predict with.')
    return predict(model.signatures, request, {'export': str(given)})


def _is_saved_model(path: epath.Path) -> bool:
    return (path / 'saved_model.pb').exists()


def predict(functions: Mapping[str, Any], request: Request, source: Mapping[str, Any]) -> Predicted:
    """Writes what a signature makes of files, in their order, a few of them in memory at a time.

    Args:
      functions: concrete functions by name.
      request: the input, the output and the rest.
      source: what the functions are of, for the output.

    Raises:
      UserError: if there is no input, no signature that takes it, none of the files can be used, or
        the output is somebody else's.
      StorageError: if the output cannot be written; what was there before is kept.
    """
    if request.top < 1:
        raise UserError(f'--top_k is at least 1; {request.top} is not.')
    path = epath.Path(request.output).expanduser()
    # An output that lies in a folder of the input is not its own input the next time.
    paths = (one for one in find(request.inputs) if path not in (one, *one.parents))
    first = next(paths, None)
    if first is None:
        raise UserError(f'--input={", ".join(request.inputs)}: there is no file in it.')
    signature = choose(functions, request.signature, _held(first))
    columns = Columns(signature.outputs, request.top)
    alone = is_table(path)
    if alone and columns.files:
        raise UserError(
            f'{signature.name} gives {", ".join(columns.files)}, which lie in files of their own: '
            'name a folder with --output.'
        )
    table = path if alone else path / TABLE
    with _folder(path) as scratch:
        bytes_taken = signature.takes_files
        with Output(scratch, table.name, columns, not bytes_taken, not alone) as output:
            predicted = _of_files if bytes_taken else _of_arrays
            predicted(signature, itertools.chain([first], paths), output)
        done = Predicted(path, table, signature.name, output.rows, output.unreadable)
        if not alone:
            _mark(scratch, request, source, done)
    return done


@contextlib.contextmanager
def _folder(path: epath.Path) -> Iterator[epath.Path]:
    if is_table(path):
        with placing(path, '--output') as scratch:
            yield scratch
    else:
        with replacing(path, 'predictions', _is_ours, '--output') as scratch:
            yield scratch


def _is_ours(folder: epath.Path) -> bool:
    return (folder / MARKER).exists()


def _held(path: epath.Path) -> Sequence[str] | None:
    """Returns the names of the arrays that a file holds; None for a file of another kind."""
    if path.suffix not in ARRAYS:
        return None
    if path.suffix == '.npy':
        return ['']
    try:
        with path.open('rb') as file, np.load(file, allow_pickle=False) as held:
            return list(held)
    except Exception as error:  # NumPy raises whatever the bytes bring it to.
        raise UserError(f'{path} holds no arrays of NumPy ({error}).') from error


def _of_files(signature: Signature, paths: Iterator[epath.Path], output: Output) -> None:
    argument = next(iter(signature.inputs))
    reasons: list[str] = []
    for batch in contents(paths, _BATCH):
        whole = [data for _, data, reason in batch if reason is None]
        with quiet():  # Decoders complain by themselves of what they cannot read.
            found = iter(separately(lambda data: signature.call({argument: list(data)}), whole))
        for path, data, reason in batch:
            result = next(found) if reason is None else reason
            if isinstance(result, UnreadableError):
                _refuse(output, path, result, reasons)
            else:
                output.add(path, 0, result, data)
    _require_any(output, reasons)


def _of_arrays(signature: Signature, paths: Iterator[epath.Path], output: Output) -> None:
    sliced = all(spec.shape.rank and spec.shape[0] is None for spec in signature.inputs.values())
    reasons: list[str] = []
    for ((path, data, reason),) in contents(paths, 1):
        try:
            if reason is not None:
                raise reason
            given = arrays(data, signature.inputs)
            size = min(map(len, given.values())) if sliced else 1
            for start in range(0, size, _BATCH):
                part = given
                if sliced:
                    part = {name: a[start : start + _BATCH] for name, a in given.items()}
                for i, one in enumerate(rows(signature.call(part)), start):
                    output.add(path, i, one, b'')
        except (UnreadableError, tf.errors.InvalidArgumentError) as error:
            _refuse(output, path, error, reasons)
    _require_any(output, reasons)


def _refuse(output: Output, path: epath.Path, error: Exception, reasons: list[str]) -> None:
    reason = error if isinstance(error, UnreadableError) else UnreadableError(str(error)[:200])
    output.refuse(path, reason)
    if not reasons:
        reasons.append(f'{path}: {reason}')


def _require_any(output: Output, reasons: Sequence[str]) -> None:
    if not output.rows:
        raise UserError(
            f'None of {output.unreadable:,} files can be used. {reasons[0].rstrip(".")}.'
        )


def _mark(folder: epath.Path, request: Request, source: Mapping[str, Any], done: Predicted) -> None:
    fields = {
        **source,
        'signature': done.signature,
        'inputs': list(request.inputs),
        'rows': done.rows,
        'unreadable': done.unreadable,
        'garden': garden.__version__,
        'tensorflow': tf.__version__,
    }
    (folder / MARKER).write_text(json.dumps(fields, indent=2) + '\n')
