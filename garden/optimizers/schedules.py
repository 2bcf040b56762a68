"""Learning rates as functions of the step: a resumed run needs nothing more."""

import math
from collections.abc import Sequence
from typing import TypeAlias

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register

LearningRate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule

_WARMUPS = ('times', 'before', 'over')


class _Schedule(keras.optimizers.schedules.LearningRateSchedule):
    """A schedule with a warm-up factor, constant within each `steps_per_epoch` steps if asked."""

    def __init__(self, base: float, warmup_steps: int, warmup_factor: float, steps_per_epoch: int):
        super().__init__()
        if steps_per_epoch < 1:
            raise ValueError(f'steps_per_epoch is at least 1; {steps_per_epoch} is not.')
        self.base = base
        self.warmup_steps = warmup_steps
        self.warmup_factor = warmup_factor
        self.steps_per_epoch = steps_per_epoch

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the rate, float32, for the update after `step` updates."""
        step = tf.cast(step, tf.int64)
        step = tf.cast(step - step % self.steps_per_epoch, tf.float32)
        if not self.warmup_steps:
            return self.base * self.factor(step)
        progress = tf.minimum(step / self.warmup_steps, 1.0)
        ramp = self.warmup_factor * (1 - progress) + progress
        return self.base * self.warmed_up(ramp, step)

    def warmed_up(self, ramp: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """Returns the multiple of the base rate, where `ramp` is the factor of the warm-up."""
        return ramp * self.factor(step)

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the multiple of the base rate at `step`, a float32 tensor, without warm-up."""
        raise NotImplementedError

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {key: value for key, value in vars(self).items() if not key.startswith('_')}


@register('schedules', 'cosine')
class Cosine(_Schedule):
    """Half a cosine wave from `base` to `base * floor`, with warm-up.

    With `steps_per_epoch` the rate changes between epochs only, as in pycls (arXiv:2003.13678),
    torchvision and timm. These differ in how the warm-up meets the wave:

    - 'times' (pycls): its factor multiplies the wave;
    - 'before' (torchvision): it rises to `base`, and there the wave begins, to end at `steps`;
    - 'over' (timm): it covers the beginning of the wave, which then goes on from where it is.

    Args:
      base: the rate at the top of the wave.
      steps: the length of the wave in steps.
      floor: the last rate as a fraction of `base`.
      warmup_steps: steps during which the rate is multiplied by a factor that rises to 1.
      warmup_factor: the factor at step 0.
      steps_per_epoch: steps for which the rate stays the same.
      warmup: 'times', 'before' or 'over'.

    Raises:
      UserError: for another kind of warm-up.
    """

    def __init__(
        self,
        base: float,
        steps: int,
        floor: float = 0.0,
        warmup_steps: int = 0,
        warmup_factor: float = 0.0,
        steps_per_epoch: int = 1,
        warmup: str = 'times',
    ):
        super().__init__(base, warmup_steps, warmup_factor, steps_per_epoch)
        if warmup not in _WARMUPS:
            raise UserError(
                f'schedules.cosine.warmup is one of {", ".join(_WARMUPS)}; {warmup!r} is not.'
                f'{did_you_mean(str(warmup), _WARMUPS)}'
            )
        self.steps = steps
        self.floor = floor
        self.warmup = warmup

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the wave's height at `step`, between `floor` and 1."""
        begin = self.warmup_steps if self.warmup == 'before' else 0
        progress = tf.clip_by_value((step - begin) / (self.steps - begin), 0.0, 1.0)
        wave = 0.5 * (1 + tf.cos(math.pi * progress))
        return self.floor + (1 - self.floor) * wave

    def warmed_up(self, ramp: tf.Tensor, step: tf.Tensor) -> tf.Tensor:
        """See the base class."""
        if self.warmup == 'times':
            return super().warmed_up(ramp, step)
        return tf.where(step < self.warmup_steps, ramp, self.factor(step))


@register('schedules', 'piecewise')
class Piecewise(_Schedule):
    """A constant rate that is multiplied by a factor at given steps.

    Args:
      base: the first rate.
      boundaries: the steps from which on the next factor holds, ascending.
      factors: for each boundary, the rate from there on as a multiple of `base`.
      warmup_steps: steps during which the rate is multiplied by a factor that rises to 1.
      warmup_factor: the factor at step 0.
    """

    def __init__(
        self,
        base: float,
        boundaries: Sequence[int],
        factors: Sequence[float],
        warmup_steps: int = 0,
        warmup_factor: float = 0.0,
    ):
        super().__init__(base, warmup_steps, warmup_factor, steps_per_epoch=1)
        if len(boundaries) != len(factors) or list(boundaries) != sorted(boundaries):
            raise ValueError(
                f'piecewise needs ascending boundaries and one factor for each; it got '
                f'{tuple(boundaries)} and {tuple(factors)}.'
            )
        self.boundaries = tuple(boundaries)
        self.factors = tuple(factors)

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the factor of the last boundary that `step` has reached, 1 before the first."""
        reached = tf.reduce_sum(tf.cast(step >= tf.constant(self.boundaries, tf.float32), tf.int32))
        return tf.gather(tf.constant((1.0, *self.factors)), reached)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        config = super().get_config()
        del config['steps_per_epoch']
        return config


@register('schedules', 'linear')
class Linear(_Schedule):
    """A straight line from `base` to `base * floor`, starting after `hold_steps` constant steps.

    Args:
      base: the first rate.
      steps: the step at which the line ends.
      hold_steps: the step at which it begins; in a run that ends before, the rate stays constant.
      floor: the last rate as a fraction of `base`.
      warmup_steps: steps during which the rate is multiplied by a factor that rises to 1.
      warmup_factor: the factor at step 0.
    """

    def __init__(
        self,
        base: float,
        steps: int,
        hold_steps: int = 0,
        floor: float = 0.0,
        warmup_steps: int = 0,
        warmup_factor: float = 0.0,
    ):
        super().__init__(base, warmup_steps, warmup_factor, steps_per_epoch=1)
        if hold_steps < 0:
            raise ValueError(f'linear needs hold_steps of at least 0; it got {hold_steps}.')
        self.steps = steps
        self.hold_steps = hold_steps
        self.floor = floor

    def factor(self, step: tf.Tensor) -> tf.Tensor:
        """Returns the height of the line at `step`, between `floor` and 1."""
        progress = (step - self.hold_steps) / max(self.steps - self.hold_steps, 1)
        return 1 - (1 - self.floor) * tf.clip_by_value(progress, 0.0, 1.0)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        config = super().get_config()
        del config['steps_per_epoch']
        return config
