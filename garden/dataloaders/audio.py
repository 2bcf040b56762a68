"""The samples of one sound."""

import functools

import numpy as np
import tensorflow as tf

from garden.core.errors import UserError
from garden.core.registry import register
from garden.dataloaders.signal import Signal, Table, coordinates
from garden.sources.base import Source, Spec


@register('dataloaders', 'audio')
class Audio(Signal):
    """A sound as points: moments from -span to span, values from -1 to 1, the loudest being 1.

    Args:
      source: sounds, 'audio', float32 [samples]; the first one is taken.
      batch_size: see the base class.
      eval_batch_size: see the base class.
      samples: how many samples count, from the beginning; None for all.
      span: the sound lasts from -span to span. It takes higher frequencies than a picture, which
        the paper's code gets by 100 (with a factor of 30 inside the first sines, as elsewhere).

    Raises:
      UserError: if samples or span are not positive.
    """

    dimensions = 1

    def __init__(
        self,
        source: Source,
        batch_size: int | None = None,
        eval_batch_size: int = 65536,
        samples: int | None = None,
        span: float = 100.0,
    ):
        super().__init__(source, batch_size, eval_batch_size)
        if span <= 0:
            raise UserError(f'{self}.span is more than 0; {span} is not.')
        if samples is not None and samples < 1:
            raise UserError(f'{self}.samples is at least 1; {samples} is not.')
        self._samples = samples
        self._span = span

    @property
    def raw_spec(self) -> Spec:
        """See the base class."""
        return {'audio': tf.TensorSpec([None], tf.float32)}

    @property
    def shape(self) -> tuple[int, ...]:
        """See the base class."""
        return (len(self.grid['value']),)

    @functools.cached_property
    def grid(self) -> Table:
        """See the base class."""
        sound = self._example()['audio'][: self._samples]
        loudest = np.abs(sound).max(initial=0.0)
        if not loudest:
            raise UserError(f'{self}: there is nothing to hear in {self._source}.')
        return {
            'coordinates': coordinates(sound.shape, self._span),
            'value': (sound / loudest)[:, None],
        }
