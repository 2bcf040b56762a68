"""How near a field comes to a signed distance."""

from collections.abc import Mapping, Sequence

import numpy as np

from garden.core.registry import register


@register('evaluators', 'distance')
class Distance:
    """The mean absolute error of a distance, and how well inside and outside are told apart.

    It is fed with 'value' and 'target', [n, 1]. 'distance_error' is in units of the coordinates;
    'inside_iou' is the volume that both call inside (below zero) as a part of that which either
    does.
    """

    metrics: Sequence[str] = ('distance_error', 'inside_iou')

    def __init__(self) -> None:
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets everything."""
        self._error = 0.0
        self._points = self._both = self._either = 0

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes the outputs of one batch."""
        value, target = outputs['value'], outputs['target']
        self._error += float(np.abs(value - target, dtype=np.float64).sum())
        self._points += len(value)
        self._both += int(((value < 0) & (target < 0)).sum())
        self._either += int(((value < 0) | (target < 0)).sum())

    def result(self) -> Mapping[str, float]:
        """Returns the metrics of the pass."""
        return {
            'distance_error': self._error / max(self._points, 1),
            'inside_iou': self._both / max(self._either, 1),
        }
