"""How near a fitted signal comes to the true one."""

from collections.abc import Mapping, Sequence

import numpy as np

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register

_ALIGNMENTS = ('none', 'mean', 'harmonic')
_DEGREE = 10  # Of the harmonic polynomials.


@register('evaluators', 'psnr')
class PSNR:
    """The peak signal-to-noise ratio of signals from -1 to 1, and the mean squared error.

    It is fed with 'value' and 'true_value', [n, c]. The ratio, in dB, is 10 log10(4 / MSE) of
    values cut to [-1, 1], as in the reference implementation (which maps both to [0, 1] and cuts
    there); 'mse' is that of the values as they are.

    Args:
      align: what is added to the values first, by least squares: 'none' for nothing, 'mean' for a
        constant, which a gradient leaves open, 'harmonic' for a harmonic polynomial of the two
        'coordinates' (of degree 10 at most), which a Laplacian leaves open.
      unseen: whether there is also 'unseen_psnr', of the points where 'known' [n, 1] is 0.
      derivatives: whether there are also 'gradient_psnr' and 'laplacian_psnr', of 'gradient' [n, c,
        2] and 'laplacian' [n, c], where the peak is the range of the true ones.

    Raises:
      UserError: for an unknown alignment; later, if the outputs lack what a setting needs.
    """

    def __init__(self, align: str = 'none', unseen: bool = False, derivatives: bool = False):
        if align not in _ALIGNMENTS:
            raise UserError(
                f'evaluators.psnr: align is one of {", ".join(_ALIGNMENTS)}, not {align!r}.'
                f'{did_you_mean(align, _ALIGNMENTS)}'
            )
        self._align = align
        self._unseen = unseen
        self._derivatives = ('gradient', 'laplacian') if derivatives else ()
        self.metrics: Sequence[str] = (
            *('psnr', 'mse', *(('unseen_psnr',) if unseen else ())),
            *(f'{name}_psnr' for name in self._derivatives),
        )
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets everything."""
        self._batches: list[Mapping[str, np.ndarray]] = []

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes the outputs of one batch."""
        self._batches.append(outputs)

    def result(self) -> Mapping[str, float]:
        """Returns the metrics of the pass."""
        value, true = self._all('value'), self._all('true_value')
        if self._align != 'none':
            value = value + self._least_squares(true - value)
        found = {'psnr': psnr(value, true), 'mse': float(np.square(value - true).mean())}
        if self._unseen:
            unseen = self._all('known')[:, 0] == 0
            found['unseen_psnr'] = psnr(value[unseen], true[unseen])
        for name in self._derivatives:
            fitted, true = self._all(name), self._all(f'true_{name}')
            found[f'{name}_psnr'] = ratio(np.ptp(true), np.square(fitted - true).mean())
        return found

    def _all(self, name: str) -> np.ndarray:
        if name not in self._batches[0]:
            raise UserError(
                f'evaluators.psnr, with its settings, needs {name!r} of each point; the data have '
                f'only {", ".join(self._batches[0])}.'
            )
        return np.concatenate([batch[name] for batch in self._batches]).astype(np.float64)

    def _least_squares(self, error: np.ndarray) -> np.ndarray:
        """Returns the part of the error [n, c] that is constant, or harmonic."""
        if self._align == 'mean':
            return error.mean(axis=0)
        # The real and imaginary parts of the powers of x + iy are the harmonic polynomials.
        powers = np.vander(self._all('coordinates') @ [1, 1j], _DEGREE + 1)
        basis = np.concatenate([powers.real, powers.imag], axis=1)
        return basis @ np.linalg.lstsq(basis, error)[0]


def psnr(value: np.ndarray, true: np.ndarray) -> float:
    """Returns the ratio in dB for true values from -1 to 1; `value` is cut to that range."""
    return ratio(2.0, np.square(np.clip(value, -1, 1) - true).mean())


def ratio(peak: float, mse: float) -> float:
    """Returns 10 log10(peak^2 / mse), which is finite where there is no error too."""
    return float(20 * np.log10(peak) - 10 * np.log10(max(mse, np.finfo(np.float64).tiny)))
