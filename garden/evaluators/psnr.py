"""How near a fitted signal comes to the true one."""

from collections.abc import Mapping, Sequence

import numpy as np

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register

_ALIGNMENTS = ('none', 'mean')


@register('evaluators', 'psnr')
class PSNR:
    """The peak signal-to-noise ratio of signals from -1 to 1, and the mean squared error.

    It is fed with 'value' and 'target', [n, c], and with 'known' [n, 1] if `unseen`. The ratio, in
    dB, is 10 log10(4 / MSE) of values cut to [-1, 1], as in the reference implementation (which
    maps both to [0, 1] and cuts there); 'mse' is that of the values as they are.

    Args:
      align: 'mean' shifts each channel to the mean of the true one before: derivatives leave the
        constant open; 'none' does not.
      unseen: whether there is also 'unseen_psnr', of the points that were not given.

    Raises:
      UserError: for an unknown alignment.
    """

    def __init__(self, align: str = 'none', unseen: bool = False):
        if align not in _ALIGNMENTS:
            raise UserError(
                f'evaluators.psnr: align is one of {", ".join(_ALIGNMENTS)}, not {align!r}.'
                f'{did_you_mean(align, _ALIGNMENTS)}'
            )
        self._align = align
        self._unseen = unseen
        self.metrics: Sequence[str] = ('psnr', 'mse', *(('unseen_psnr',) if unseen else ()))
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets everything."""
        self._batches: list[tuple[np.ndarray, ...]] = []

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes the outputs of one batch."""
        names = ('value', 'target', *(('known',) if self._unseen else ()))
        self._batches.append(tuple(outputs[name] for name in names))

    def result(self) -> Mapping[str, float]:
        """Returns the metrics of the pass."""
        columns = [np.concatenate(part) for part in zip(*self._batches, strict=True)]
        value, target = (column.astype(np.float64) for column in columns[:2])
        if self._align == 'mean':
            value = value + (target - value).mean(axis=0)
        found = {'psnr': psnr(value, target), 'mse': float(np.square(value - target).mean())}
        if self._unseen:
            unseen = columns[2][:, 0] == 0
            found['unseen_psnr'] = psnr(value[unseen], target[unseen])
        return found


def psnr(value: np.ndarray, target: np.ndarray) -> float:
    """Returns the ratio in dB for targets from -1 to 1; values are cut to that range."""
    error = np.square(np.clip(value, -1, 1) - target).mean()
    return float(10 * np.log10(4 / max(error, np.finfo(np.float64).tiny)))
