"""Which signature of a system takes an input, and what it gives."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from garden.core.errors import UserError, did_you_mean
from garden.export.saved_model import inputs_of

_DEFAULT = 'serving_default'
_NOTHING_TAKES = {
    True: 'No signature takes the bytes of files: give .npz files, an array for each argument.',
    False: 'No signature takes the arrays in these files: name them as an argument each.',
}


@dataclasses.dataclass(frozen=True)
class Signature:
    """A signature that can be called on arrays.

    Attributes:
      name: its name.
      inputs: a tf.TensorSpec for each argument.
      outputs: dtype and shape of each output.
      call: takes an array for each argument, by name, and gives one for each output.
    """

    name: str
    inputs: Mapping[str, tf.TensorSpec]
    outputs: Mapping[str, tf.TensorSpec]
    call: Callable[[Mapping[str, Any]], Mapping[str, np.ndarray]]

    @property
    def takes_files(self) -> bool:
        """Whether it takes the bytes of files, and nothing else."""
        return _takes_files(self.inputs)


def choose(
    functions: Mapping[str, Any], name: str | None, taken: Sequence[str] | None
) -> Signature:
    """Returns the signature that takes an input: the one of that name, the only one, the default.

    Args:
      functions: concrete functions by name.
      name: a name, None for the one that fits.
      taken: what arrays the input holds, '' for one without a name; None for files of their own
        kind, e.g. pictures.

    Raises:
      UserError: if there is no such signature, none that takes this, or several.
    """
    if name is not None and name not in functions:
        raise UserError(
            f'There is no signature {name!r}.{did_you_mean(name, functions)} '
            f'Signatures: {"; ".join(map(_told, functions.items()))}.'
        )
    asked = functions if name is None else {name: functions[name]}
    fitting = [one for one, function in asked.items() if _fits(inputs_of(function), taken)]
    if not fitting:
        raise UserError(
            f'{_NOTHING_TAKES[taken is None]} Signatures: {"; ".join(map(_told, asked.items()))}.'
        )
    if len(fitting) > 1 and _DEFAULT not in fitting:
        raise UserError(f'Several signatures take this: choose --signature={"|".join(fitting)}.')
    return _signature(fitting[0] if len(fitting) == 1 else _DEFAULT, functions)


def _fits(specs: Mapping[str, tf.TensorSpec], taken: Sequence[str] | None) -> bool:
    if taken is None:
        return _takes_files(specs)
    if any(spec.dtype == tf.string for spec in specs.values()):
        return False
    return len(specs) == 1 if list(taken) == [''] else set(specs) <= set(taken)


def _takes_files(specs: Mapping[str, tf.TensorSpec]) -> bool:
    return [(spec.dtype, spec.shape.rank) for spec in specs.values()] == [(tf.string, 1)]


def _signature(name: str, functions: Mapping[str, Any]) -> Signature:
    function = functions[name]
    positional, named = function.structured_input_signature

    def call(inputs: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
        outputs = function(
            *(tf.constant(inputs[spec.name], spec.dtype) for spec in positional),
            **{key: tf.constant(inputs[spec.name], spec.dtype) for key, spec in named.items()},
        )
        return {key: tensor.numpy() for key, tensor in outputs.items()}

    outputs = {
        key: tf.TensorSpec(one.shape, one.dtype) for key, one in function.structured_outputs.items()
    }
    return Signature(name, inputs_of(function), outputs, call)


def _told(item: tuple[str, Any]) -> str:
    name, function = item
    specs = inputs_of(function)
    if _takes_files(specs):
        return f'{name} takes files'
    return f'{name} takes {", ".join(specs)}'
