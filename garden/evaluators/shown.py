"""Examples of an evaluation that are kept to be drawn."""

from collections.abc import Mapping, Sequence

import numpy as np


class Shown:
    """Keeps the outputs for the first examples of each pass; it measures nothing.

    Args:
      count: how many examples; None for all.
      names: the outputs to keep; None for all.

    Attributes:
      metrics: none.
    """

    metrics: Sequence[str] = ()

    def __init__(self, count: int | None = None, names: Sequence[str] | None = None):
        self._count = count
        self._names = names
        self.reset_state()

    @property
    def outputs(self) -> Mapping[str, np.ndarray]:
        """What `Task.eval_step` handed out, by name; nothing before the first pass."""
        return {name: np.concatenate(parts) for name, parts in self._parts.items()}

    def reset_state(self) -> None:
        """Forgets the pass before."""
        self._parts: dict[str, list[np.ndarray]] = {}

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes of a batch as many examples as are still wanted."""
        for name in outputs if self._names is None else self._names:
            parts = self._parts.setdefault(name, [])
            left = None if self._count is None else self._count - sum(map(len, parts))
            if left is None or left or not parts:
                parts.append(outputs[name][:left])

    def result(self) -> Mapping[str, float]:
        """Returns nothing."""
        return {}
