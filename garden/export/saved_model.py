"""Writes a task's signatures as a SavedModel, which TensorFlow alone can load."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf
from etils import epath

from garden.layers import grouped_conv

Signatures = Mapping[str, Any]


def trace(functions: Mapping[str, Any]) -> Signatures:
    """Returns the concrete functions of tf.functions that have an input signature."""
    # A host without oneDNN has no kernel for grouped convolutions, and neither has TFLite.
    with grouped_conv.prefer('split'):
        return {name: function.get_concrete_function() for name, function in functions.items()}


def write(signatures: Signatures, directory: epath.PathLike) -> None:
    """Writes a SavedModel that holds the signatures, the variables that they read, and no more.

    Args:
      signatures: concrete functions by name, as `trace` returns them.
      directory: where to; it is made.
    """
    module = tf.Module()
    read = (variable for function in signatures.values() for variable in function.variables)
    # No optimizer, no layer: a SavedModel of the task itself would drag in both.
    module.read = list({variable.ref(): variable for variable in read}.values())
    tf.saved_model.save(module, str(directory), signatures=dict(signatures))


def describe(signatures: Signatures) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """Returns the shapes and dtypes of the inputs and outputs of each signature, for JSON."""
    return {
        name: {
            'inputs': _specs(inputs_of(function)),
            'outputs': _specs(function.structured_outputs),
        }
        for name, function in signatures.items()
    }


def load(directory: epath.PathLike, name: str) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
    """Returns a signature of a SavedModel, as a function of arrays by name that gives such."""
    model = tf.saved_model.load(str(directory))  # It owns the variables: the closure keeps it.

    def run(inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        outputs = model.signatures[name](**{k: tf.constant(v) for k, v in inputs.items()})
        return {key: tensor.numpy() for key, tensor in outputs.items()}

    return run


def inputs_of(function: Any) -> dict[str, tf.TensorSpec]:
    """Returns what a signature takes, traced or loaded, by name."""
    positional, named = function.structured_input_signature
    return {spec.name: spec for spec in (*positional, *named.values())}


def _specs(tensors: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: {'dtype': tensor.dtype.name, 'shape': tensor.shape.as_list()}
        for name, tensor in tensors.items()
    }
