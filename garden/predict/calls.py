"""Calls a signature on many examples, so that one that it cannot take spoils no other."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Outputs = Mapping[str, np.ndarray]

# What TensorFlow says of its own graph, before and after what is wrong with the example.
_AROUND = re.compile(
    r'^Graph execution error:|^Detected at node .*|^<stack traces .*|^\d+ root error.*'
    r'|^\s*\(\d+\) \w+:|\{\{[^{}]*\}\}|\[\[.*|\[Op:.*'
)


class UnreadableError(Exception):
    """A file is not what a signature takes: one line that says why."""


def separately(
    call: Callable[[Sequence[bytes]], Outputs], files: Sequence[bytes]
) -> list[Outputs | UnreadableError]:
    """Returns the outputs of each file, or why there are none.

    All are given to the network at once; only where it refuses them are they cut into halves, until
    those are alone that it cannot take.

    Args:
      call: takes the bytes of files; every output has a row for each.
      files: their bytes, any number.
    """
    import tensorflow as tf

    if not files:
        return []
    try:
        outputs = call(files)
    except (tf.errors.InvalidArgumentError, tf.errors.UnknownError) as error:
        if len(files) == 1:
            return [UnreadableError(_reason(error.message))]
        middle = len(files) // 2
        return [*separately(call, files[:middle]), *separately(call, files[middle:])]
    return rows(outputs)


def rows(outputs: Outputs) -> list[Any]:
    """Returns the outputs of each example."""
    count = max(len(values) for values in outputs.values())
    return [{name: values[i] for name, values in outputs.items()} for i in range(count)]


def _reason(message: str) -> str:
    """Returns the one line of TensorFlow's message that tells of the example."""
    lines = [_AROUND.sub('', line).strip() for line in message.splitlines()]
    return next(filter(None, lines), 'it cannot be decoded')[:200]
