"""Finding the examples that make a pipeline fail: each is tried once more, on its own."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from garden.core.bad_examples import ERRORS, FAILURES, problem
from garden.sources.base import Source


def unusable(keys: tf.data.Dataset, source: Source, use: Callable[..., Any]) -> dict[int, str]:
    """Returns which examples cannot be used, by their index, and why.

    Args:
      keys: (position, key) of the examples to try.
      source: what the keys belong to.
      use: reads and parses an example, (position, key), in graph code.
    """
    listed = list(keys)
    if not listed:
        return {}
    stacked = tf.nest.map_structure(lambda *parts: tf.stack(parts), *listed)
    tries = iter(tf.data.Dataset.from_tensor_slices(stacked).map(use))
    found = {}
    for _, key in listed:
        try:  # After an example that fails, the iterator goes on with the next.
            next(tries)
        except (*ERRORS, UnicodeDecodeError) as error:
            found[int(source.index(key))] = problem(error)
    return found


def blame(
    source: Source, excluded: tuple[int, ...], examine: Callable[[tuple[int, ...]], dict[int, str]]
) -> dict[int, str]:
    """Returns which examples cannot be used, also those without which there are no keys.

    Args:
      source: what is read.
      excluded: what is left out already.
      examine: returns what cannot be used while the given examples are left out, or fails in
        reading the keys.
    """
    found: dict[int, str] = {}
    while True:
        left_out = tuple(sorted({*excluded, *found}))
        try:
            return found | examine(left_out)
        except FAILURES as error:
            index = source.blamed(error)
            if index is None or index in left_out:
                return found
            found[index] = problem(error)
