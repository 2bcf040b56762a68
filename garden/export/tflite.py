"""Converts one signature of a SavedModel to TFLite, and runs it with LiteRT."""

import re
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from etils import epath

from garden.export.inputs import Inputs, Run, UnconvertibleError
from garden.export.quiet import quiet

_WITHOUT_KERNEL = re.compile(r'^(?:TF Select|Custom) ops: (.+)$', re.MULTILINE)


def convert(
    directory: epath.PathLike, name: str, examples: Sequence[Inputs], weights: str = 'float32'
) -> bytes:
    """Returns a TFLite file with one signature, whose batch may be of any size.

    Args:
      directory: the SavedModel.
      name: the signature, of tensors.
      examples: real inputs, from which the ranges of the activations are learnt for 'int8'.
      weights: 'float32'; 'float16', which halves the file and computes in float32; or 'int8', which
        computes in whole numbers wherever TFLite can. Inputs and outputs stay as they are.

    Raises:
      UnconvertibleError: if TFLite cannot run it.
    """
    from tensorflow.lite.python.convert import ConverterError  # No public name for it.

    converter = tf.lite.TFLiteConverter.from_saved_model(str(directory), signature_keys=[name])
    if weights != 'float32':
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights == 'float16':
        converter.target_spec.supported_types = [tf.float16]
    if weights == 'int8':
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.representative_dataset = lambda: ({**one} for one in examples)
    try:
        with quiet():
            return converter.convert()
    except (ConverterError, RuntimeError, ValueError) as error:
        raise UnconvertibleError(_reason(str(error))) from error


def load(model: bytes) -> Run:
    """Returns the function that a TFLite file computes."""
    from ai_edge_litert.interpreter import Interpreter

    with quiet():
        runner = Interpreter(model_content=model).get_signature_runner()

    def run(inputs: Inputs) -> Mapping[str, np.ndarray]:
        with quiet():  # It tells how it computes, the first time.
            return runner(**inputs)

    return run


def _reason(message: str) -> str:
    ops = _WITHOUT_KERNEL.search(message)
    if ops:
        return f'TFLite has no {ops[1]}'
    first, *_ = [line for line in message.splitlines() if line.strip()] or ['no reason given']
    return f'TFLite: {first.strip()[:200]}'
