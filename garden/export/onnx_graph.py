"""Converts one signature of a SavedModel to ONNX, and runs it with ONNX Runtime."""

import importlib.util
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from etils import epath

from garden.core.errors import UserError
from garden.export.inputs import Inputs, Run, UnconvertibleError
from garden.export.quiet import quiet
from garden.export.saved_model import inputs_of

# Widely run since 2023; nothing that we export needs a later one.
_OPSET = 18
_SUFFIX = '_out'
_UNKNOWN = re.compile(r'No Op registered for (\w+)')


def require() -> None:
    """Makes sure that the converter is there.

    Raises:
      UserError: if it is not.
    """
    lacking = [name for name in ('tf2onnx', 'onnxruntime') if not importlib.util.find_spec(name)]
    if lacking:
        raise UserError(
            f'--export_formats=onnx needs {" and ".join(lacking)}: pip install '
            "'garden-experiments[onnx]'."
        )


def convert(directory: epath.PathLike, name: str, examples: Sequence[Inputs]) -> bytes:
    """Returns an ONNX file with one signature, whose batch may be of any size.

    Values of a graph have one name each: an output that is called as an input is gets '_out' added.

    Args:
      directory: the SavedModel.
      name: the signature, of tensors.
      examples: not used.

    Raises:
      UnconvertibleError: if ONNX has no such operation.
    """
    del examples
    loaded = tf.saved_model.load(str(directory))
    function = loaded.signatures[name]
    specs = inputs_of(function)

    @tf.function(input_signature=[tf.TensorSpec(s.shape, s.dtype, n) for n, s in specs.items()])
    def renamed(*values: tf.Tensor) -> Mapping[str, tf.Tensor]:
        outputs = function(**dict(zip(specs, values, strict=True)))
        return {key + _SUFFIX * (key in specs): value for key, value in outputs.items()}

    with quiet():
        import tf2onnx

        model, _ = tf2onnx.convert.from_function(
            renamed, input_signature=renamed.input_signature, opset=_OPSET
        )
    for value in (*model.graph.input, *model.graph.output):
        first = value.type.tensor_type.shape.dim[:1]
        if first and not first[0].dim_value:
            first[0].dim_param = 'batch'
    serialized = model.SerializeToString()
    _session(serialized)
    return serialized


def load(model: bytes) -> Run:
    """Returns the function that an ONNX file computes."""
    session = _session(model)
    taken = {value.name for value in session.get_inputs()}
    names = [value.name for value in session.get_outputs()]

    def run(inputs: Inputs) -> Mapping[str, np.ndarray]:
        given = {name: value for name, value in inputs.items() if name in taken}
        outputs = dict(zip(names, session.run(names, given), strict=True))
        return {
            name.removesuffix(_SUFFIX) if name.removesuffix(_SUFFIX) in taken else name: value
            for name, value in outputs.items()
        }

    return run


def _session(model: bytes) -> Any:
    import onnxruntime

    try:
        return onnxruntime.InferenceSession(model, providers=['CPUExecutionProvider'])
    except Exception as error:  # Its errors have no base class but this.
        unknown = _UNKNOWN.search(str(error))
        reason = f'ONNX has no {unknown[1]}' if unknown else f'ONNX: {str(error)[:200]}'
        raise UnconvertibleError(reason) from error
