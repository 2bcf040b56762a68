"""Real inputs of a signature, from the data of the task that it belongs to."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from garden.core.feed import Feed
from garden.core.task import Task
from garden.export.saved_model import inputs_of

Inputs = Mapping[str, np.ndarray]
Run = Callable[[Inputs], Mapping[str, np.ndarray]]


class UnconvertibleError(Exception):
    """A signature cannot be had in a format: one line that says why."""


def real_inputs(task: Task, name: str, function: Any, feed: Feed, count: int) -> Inputs:
    """Returns the first `count` inputs of a signature, fewer where the data have fewer.

    Args:
      task: the task; see `Task.signature_data`.
      name: the signature.
      function: its concrete function.
      feed: the place in the run from which the data are read.
      count: how many are wanted.

    Returns:
      One array for each argument, whose first axis is the examples.

    Raises:
      UnconvertibleError: if the data of the task do not hold what the signature takes.
    """
    arguments = tuple(inputs_of(function))
    found: dict[str, list[np.ndarray]] = {argument: [] for argument in arguments}
    held = 0
    for batch in task.signature_data(name, feed):
        lacking = [a for a in arguments if not isinstance(batch, Mapping) or a not in batch]
        if lacking:
            raise UnconvertibleError(
                f'the data of the task have no {", ".join(lacking)} (Task.signature_data)'
            )
        real = np.asarray(batch.get('mask', np.ones(len(batch[arguments[0]]), bool)))
        for argument in arguments:
            found[argument].append(np.asarray(batch[argument])[real])
        held += int(real.sum())
        if held >= count:
            break
    if not held:
        raise UnconvertibleError('the data of the task hold no example')
    return {argument: np.concatenate(parts)[:count] for argument, parts in found.items()}


def sliced(inputs: Inputs, start: int, stop: int) -> Inputs:
    """Returns the examples from `start` to `stop`."""
    return {argument: values[start:stop] for argument, values in inputs.items()}


def number_of(inputs: Inputs) -> int:
    """Returns how many examples there are."""
    return min(len(values) for values in inputs.values())
