"""Examples of an evaluation that are kept to be drawn."""

from collections.abc import Mapping, Sequence

import numpy as np


class Shown:
    """Keeps the outputs for the first examples of each pass; it measures nothing.

    Args:
      count: how many examples.

    Attributes:
      metrics: none.
      outputs: what `Task.eval_step` handed out for them, by name; empty before the first pass.
    """

    metrics: Sequence[str] = ()

    def __init__(self, count: int):
        self._count = count
        self.outputs: dict[str, np.ndarray] = {}

    def reset_state(self) -> None:
        """Forgets the pass before."""
        self.outputs = {}

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes of a batch as many examples as are still wanted."""
        for name, values in outputs.items():
            kept = self.outputs.get(name, values[:0])
            self.outputs[name] = np.concatenate([kept, values[: self._count - len(kept)]])

    def result(self) -> Mapping[str, float]:
        """Returns nothing."""
        return {}
