"""The formats beside the SavedModel: how each is made, run, and how close it is to be."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from etils import epath

from garden.core.errors import UserError, did_you_mean
from garden.core.feed import Feed
from garden.core.task import Task
from garden.export import onnx_graph, tflite
from garden.export.inputs import Inputs, UnconvertibleError, number_of, real_inputs, sliced
from garden.export.saved_model import Signatures, inputs_of, load

SAVED_MODEL = 'saved_model'
# TFLite's guide to quantization asks for 100 to 500 examples; as many others are compared.
_EXAMPLES = 100
_BATCH = 10
_CLASSES = ('logits', 'probability')


@dataclasses.dataclass(frozen=True)
class Format:
    """One way to write a signature.

    Attributes:
      suffix: of its files.
      convert: makes the file of a SavedModel's folder, a signature's name, and real inputs.
      load: makes a function of the file.
      relative_error: how far its outputs may be from the SavedModel's, as
        |found - expected| / |expected| in the Euclidean norm over all examples.
      same_class: the share of examples whose largest logit or probability has to be the same.
    """

    suffix: str
    convert: Callable[[epath.PathLike, str, Sequence[Inputs]], bytes]
    load: Callable[[bytes], Callable[[Inputs], Mapping[str, np.ndarray]]]
    relative_error: float
    same_class: float


def _tflite(weights: str, relative_error: float, same_class: float) -> Format:
    convert = functools.partial(tflite.convert, weights=weights)
    return Format('tflite', convert, tflite.load, relative_error, same_class)


FORMATS = {
    # The sines of siren_audio_mini came out 0.00017 off, all other float32 files 0.000005 at most.
    'tflite': _tflite('float32', 1e-3, 0.99),
    'tflite_float16': _tflite('float16', 2e-2, 0.98),
    'tflite_int8': _tflite('int8', 2e-1, 0.95),
    'onnx': Format('onnx', onnx_graph.convert, onnx_graph.load, 1e-4, 0.99),
}


@dataclasses.dataclass
class Converted:
    """What became of the signatures in one format.

    Attributes:
      tolerance: what the format is held to, by name of the measure.
      files: for each signature that was converted: file, bytes, examples and how close each output
        is to the SavedModel's.
      left_out: why the others were not, by name: they cannot be, or come out too far from the
        SavedModel.
    """

    tolerance: Mapping[str, float]
    files: dict[str, Any] = dataclasses.field(default_factory=dict)
    left_out: dict[str, str] = dataclasses.field(default_factory=dict)


def check_names(formats: Sequence[str]) -> None:
    """Makes sure that these can be made here.

    Raises:
      UserError: for a name that is not known, or a converter that is not installed.
    """
    known = (SAVED_MODEL, *FORMATS)
    for name in formats:
        if name not in known:
            raise UserError(
                f'There is no format {name!r} to export to.{did_you_mean(name, known)} '
                f'Formats: {", ".join(known)}.'
            )
    if 'onnx' in formats:
        onnx_graph.require()


def convert_all(
    names: Sequence[str], task: Task, signatures: Signatures, feed: Feed, folder: epath.Path
) -> dict[str, Converted]:
    """Writes the signatures in each format, beside the SavedModel that `folder` holds.

    A file that is further from the SavedModel than its format allows is not written.
    """
    made = {
        name: Converted({'relative_error': f.relative_error, 'same_class': f.same_class})
        for name, f in FORMATS.items()
        if name in names
    }
    first_name: dict[int, str] = {}
    # The default is often another signature by a second name: the other one tells more.
    for name in sorted(signatures if made else (), key=lambda name: name == 'serving_default'):
        function = signatures[name]
        if (same := first_name.setdefault(id(function), name)) != name:
            reason = f'it is {same} by another name'
        elif any(spec.dtype == tf.string for spec in inputs_of(function).values()):
            reason = 'it takes the bytes of files'
        elif any(spec.dtype == tf.uint8 for spec in function.structured_outputs.values()):
            reason = 'it gives pictures, which another signature gives as numbers'
        else:
            _convert_one(made, task, name, function, feed, folder)
            continue
        for converted in made.values():
            converted.left_out[name] = reason
    return made


def _convert_one(
    made: Mapping[str, Converted],
    task: Task,
    name: str,
    function: Any,
    feed: Feed,
    folder: epath.Path,
) -> None:
    try:
        inputs = real_inputs(task, name, function, feed, 2 * _EXAMPLES)
        half = number_of(inputs) // 2
        calibrating = [sliced(inputs, i, i + 1) for i in range(max(half, 1))]
        compared = sliced(inputs, half, number_of(inputs))
        expected = _outputs(load(folder / SAVED_MODEL, name), compared)
    except UnconvertibleError as error:
        for converted in made.values():
            converted.left_out[name] = str(error)
        return
    for kind, converted in made.items():
        form = FORMATS[kind]
        try:
            model = form.convert(folder / SAVED_MODEL, name, calibrating)
            closeness = compare(expected, _outputs(form.load(model), compared))
        except UnconvertibleError as error:
            converted.left_out[name] = str(error)
            continue
        if (fault := _fault(closeness, form)) is not None:
            converted.left_out[name] = fault
            continue
        file = folder / kind / f'{name}.{form.suffix}'
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(model)
        converted.files[name] = {
            'file': f'{kind}/{file.name}',
            'bytes': len(model),
            'examples': number_of(compared),
            'outputs': closeness,
        }


def _outputs(run: Callable[[Inputs], Mapping[str, np.ndarray]], inputs: Inputs) -> Inputs:
    starts = range(0, number_of(inputs), _BATCH)
    parts = [run(sliced(inputs, start, start + _BATCH)) for start in starts]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def compare(expected: Inputs, found: Inputs) -> dict[str, dict[str, float]]:
    """Returns how far each output is from what is expected; the measures are those of `Format`."""
    measures = {}
    for name, true in expected.items():
        error = np.asarray(found[name], np.float64) - true
        measures[name] = {
            'relative_error': float(
                np.linalg.norm(error) / max(np.linalg.norm(true), np.finfo(np.float32).tiny)
            ),
            'largest_error': float(np.abs(error).max(initial=0.0)),
        }
        if name in _CLASSES:
            same = true.argmax(axis=-1) == found[name].argmax(axis=-1)
            measures[name]['same_class'] = float(same.mean())
    return measures


def _fault(closeness: Mapping[str, Mapping[str, float]], form: Format) -> str | None:
    """Returns what is too far from the SavedModel, None where nothing is."""
    for output, found in closeness.items():
        if not found['relative_error'] <= form.relative_error:  # A NaN is a fault, too.
            return (
                f'the relative error of {output} is {found["relative_error"]:.2g}, and at most '
                f'{form.relative_error:g} is accepted'
            )
        if found.get('same_class', 1.0) < form.same_class:
            return (
                f'{output} gives {found["same_class"]:.1%} of the examples the same class, and at '
                f'least {form.same_class:.0%} is accepted'
            )
    return None
