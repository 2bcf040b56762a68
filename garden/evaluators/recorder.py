"""The outputs of an evaluation, kept to be drawn."""

from collections.abc import Mapping, Sequence

import numpy as np


class Recorder:
    """Keeps all outputs of a pass."""

    metrics: Sequence[str] = ()

    def __init__(self) -> None:
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets everything."""
        self._batches: list[Mapping[str, np.ndarray]] = []

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes the outputs of one batch."""
        self._batches.append(outputs)

    def result(self) -> Mapping[str, float]:
        """Returns nothing: there is nothing to measure."""
        return {}

    def outputs(self) -> Mapping[str, np.ndarray]:
        """Returns the outputs of the pass, the batches one after the other."""
        if not self._batches:
            return {}
        names = self._batches[0]
        return {name: np.concatenate([batch[name] for batch in self._batches]) for name in names}
