"""How near a field comes to a signed distance."""

from collections.abc import Mapping, Sequence

import numpy as np

from garden.core.registry import register


@register('evaluators', 'distance')
class Distance:
    """The mean absolute error of a distance, and how well inside and outside are told apart.

    It is fed with 'value' and 'true_value', [n, 1]. 'distance_error' is over all points and
    'near_error' over those near the surface, in units of the coordinates; 'inside_iou' is the
    volume that both call inside (below zero) as a part of that which either does.

    Args:
      near: how far from the surface a point is near it.
    """

    metrics: Sequence[str] = ('distance_error', 'near_error', 'inside_iou')

    def __init__(self, near: float = 0.1):
        self._near = near
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets everything."""
        self._batches: list[tuple[np.ndarray, np.ndarray]] = []

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes the outputs of one batch."""
        self._batches.append((outputs['value'], outputs['true_value']))

    def result(self) -> Mapping[str, float]:
        """Returns the metrics of the pass; where there is nothing to be wrong about, nothing is."""
        value, true = (np.concatenate(part) for part in zip(*self._batches, strict=True))
        error = np.abs(value - true, dtype=np.float64)
        either = int(((value < 0) | (true < 0)).sum())
        near = np.abs(true) <= self._near
        return {
            'distance_error': float(error.mean()),
            'near_error': float(error[near].mean()) if near.any() else 0.0,
            'inside_iou': float(((value < 0) & (true < 0)).sum() / either) if either else 1.0,
        }
