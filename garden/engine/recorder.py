"""Writes what happens in a phase to the run folder: metrics as lines, pictures as PNG."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from garden.core.bad_examples import BadExample
from garden.engine.run_folder import RunFolder


class Recorder:
    """An observer that keeps `metrics.jsonl` and `pictures/`.

    Args:
      folder: the run folder.
      phase: the phase's name.
    """

    def __init__(self, folder: RunFolder, phase: str):
        self._folder = folder
        self._phase = phase

    def trained(self, step: int, metrics: Mapping[str, float]) -> None:
        """Writes the means over a loop."""
        self._write('train', step, metrics)

    def evaluated(
        self, step: int, metrics: Mapping[str, float], pictures: Mapping[str, np.ndarray]
    ) -> None:
        """Writes an evaluation; a picture replaces the last of its name, TensorBoard keeps all."""
        self._write('eval', step, metrics)
        self._folder.write_pictures(self._phase, pictures)

    def recovered(self, step: int, restored: int, what: Sequence[str]) -> None:
        """Writes that the phase went back, and drops what it takes back."""
        self._folder.rewind_metrics(self._phase, restored)
        self._folder.append_metrics(
            {
                'phase': self._phase,
                'kind': 'recovery',
                'step': step,
                'restored': restored,
                'what': list(what),
            }
        )

    def skipped(self, bad: Sequence[BadExample]) -> None:
        """Writes which examples are left out."""
        for one in bad:
            self._folder.append_metrics(
                {'phase': self._phase, 'kind': 'bad_example', **dataclasses.asdict(one)}
            )

    def _write(self, kind: str, step: int, metrics: Mapping[str, float]) -> None:
        # JSON has no NaN: null tells a reader in any language that there was no number.
        numbers = {k: v if math.isfinite(v) else None for k, v in metrics.items()}
        self._folder.append_metrics({'phase': self._phase, 'kind': kind, 'step': step, **numbers})
