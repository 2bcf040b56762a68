"""A melody made by arithmetic, for want of a recording that comes with the dependencies."""

from collections.abc import Mapping

import numpy as np

from garden.core.registry import register
from garden.sources.signals import Lazy

# The first bar of J. S. Bach's first suite for cello (BWV 1007), in semitones from A at 440 Hz.
_BAR = (-26, -19, -10, -12, -10, -19, -10, -19) * 2
_PARTIALS = 8


@register('sources', 'melody')
class Melody(Lazy):
    """The first bar of Bach's first cello suite, synthesised: 'audio', float32 [samples].

    Each of 16 notes is a sum of harmonics of falling loudness that die away, the higher the faster.

    Args:
      seconds: how long the bar lasts.
      rate: samples a second.
    """

    def __init__(self, seconds: float = 4.0, rate: int = 44100):
        self._seconds = seconds
        self._rate = rate

    def arrays(self) -> Mapping[str, np.ndarray]:
        """See the base class."""
        sound = np.zeros(round(self._seconds * self._rate))
        starts = np.linspace(0, len(sound), len(_BAR) + 1).astype(int)[:-1]
        for start, semitones in zip(starts, _BAR, strict=True):
            sound[start:] += self._note(440 * 2 ** (semitones / 12), len(sound) - start)
        return {'audio': sound.astype(np.float32)[None]}

    def _note(self, pitch: float, samples: int) -> np.ndarray:
        """Returns a note that begins at once."""
        time = np.arange(samples) / self._rate
        onset = 1 - np.exp(-time / 0.01)
        return onset * sum(
            np.sin(2 * np.pi * pitch * k * time) * np.exp(-3 * k**0.5 * time) / k
            for k in range(1, _PARTIALS + 1)
        )

    def __str__(self) -> str:
        return f'A synthesised bar of a cello suite ({self._seconds} s at {self._rate} Hz)'
