"""What of an output stands in the table, and what lies beside it in a file of its own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

PICTURE, ARRAY, SCALAR, VECTOR = 'picture', 'array', 'scalar', 'vector'


class Columns:
    """Arranges the outputs of one example.

    A string vector beside vectors of numbers of its size is a ranking: the largest numbers and
    their names come first, and only `top` of them. A scalar is a column and a vector of known size
    one for each number. Pictures and all else are files of their own.

    Args:
      outputs: dtype and shape of each output, for a batch.
      top: how many of a ranking.
    """

    def __init__(self, outputs: Mapping[str, tf.TensorSpec], top: int):
        self.kinds = {name: _kind(spec) for name, spec in outputs.items()}
        vectors = {name: outputs[name] for name, kind in self.kinds.items() if kind == VECTOR}
        named = [name for name, spec in vectors.items() if spec.dtype == tf.string]
        self.ranked: tuple[str, ...] = ()
        if len(named) == 1:
            size = vectors[named[0]].shape[1]
            beside = [n for n, s in vectors.items() if n not in named and s.shape[1] == size]
            self.ranked = (named[0], *beside) if beside else ()
            self._top = min(top, size)
        self._sizes = {name: spec.shape[1] for name, spec in vectors.items()}
        self._sizes |= dict.fromkeys(self.ranked, self._top if self.ranked else 0)

    @property
    def files(self) -> tuple[str, ...]:
        """The outputs that are files of their own."""
        return tuple(name for name, kind in self.kinds.items() if kind in (PICTURE, ARRAY))

    @property
    def captions(self) -> bool:
        """Whether there is anything to write under a picture."""
        return bool(self.ranked) or SCALAR in self.kinds.values()

    def header(self) -> list[str]:
        """Returns the names of the columns of a flat table."""
        flat = [
            f'{name}_{place + 1}'
            for place in range(self._sizes.get(self.ranked[0], 0) if self.ranked else 0)
            for name in self.ranked
        ]
        for name, kind in self.kinds.items():
            if kind == VECTOR and name not in self.ranked:
                flat += [f'{name}_{place + 1}' for place in range(self._sizes[name])]
            elif kind != VECTOR:
                flat.append(name)
        return flat

    def values(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Returns what stands in the table, as plain Python: numbers, text and lists of them."""
        shown = {name: outputs[name] for name in self.kinds if name not in self.files}
        if self.ranked:
            by = shown[self.ranked[1]]
            order = np.argsort(-by, kind='stable')[: self._top]
            shown |= {name: shown[name][order] for name in self.ranked}
        return {name: _plain(value) for name, value in shown.items()}

    def flat(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns values by the names of `header`."""
        row: dict[str, Any] = {}
        for name, value in values.items():
            if isinstance(value, list):
                row |= {f'{name}_{place + 1}': one for place, one in enumerate(value)}
            else:
                row[name] = value
        return row

    def lines(self, values: Mapping[str, Any]) -> list[tuple[str, float | None]]:
        """Returns what is drawn under a picture: lines of text, with a share of 1 for a bar."""
        drawn: list[tuple[str, float | None]] = []
        if self.ranked:
            words, *numbers = (values[name] for name in self.ranked)
            for word, number in zip(words, numbers[0], strict=True):
                share = number if 0 <= number <= 1 else None
                shown = f'{number:.1%}' if share is not None else f'{number:.4g}'
                drawn.append((f'{word}  {shown}', share))
        for name, kind in self.kinds.items():
            if kind == SCALAR:
                value = values[name]
                text = f'{value:.4g}' if isinstance(value, float) else str(value)
                drawn.append((f'{name}  {text}', None))
        return drawn


def _kind(spec: tf.TensorSpec) -> str:
    rank = spec.shape.rank
    if rank == 1:
        return SCALAR
    if rank == 2 and spec.shape[1] is not None:
        return VECTOR
    if rank == 4 and spec.dtype == tf.uint8 and spec.shape[3] in (1, 3):
        return PICTURE
    return ARRAY


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode('utf-8', 'replace')
    if isinstance(value, np.floating):
        return float(str(value))  # As many digits as the number has: 0.1, not 0.10000000149.
    return value.item() if isinstance(value, np.generic) else value
