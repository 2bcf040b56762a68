"""Mixup (arXiv:1710.09412) and CutMix (arXiv:1905.04899), for a whole batch at once."""

import numpy as np
import scipy.stats
import tensorflow as tf

from garden.core.errors import UserError
from garden.core.registry import register
from garden.ops import image as images

_QUANTILES = 1 << 14


@register('augmentations', 'mixup_cutmix')
class MixupCutmix:
    """Mixes each image of a batch with the one before it, by mixup or by CutMix.

    An image keeps the part l of itself and of its label. Mixup blends the images at l, drawn from
    Beta(mixup, mixup). CutMix pastes a rectangle of the other image around a uniformly drawn
    centre; its sides are sqrt(1 - l) of the image's, l from Beta(cutmix, cutmix), and the label
    follows the area that the rectangle has inside the image.

    Each image has draws of its own, where torchvision and timm draw once for a batch: what happens
    to one image is distributed equally, and its neighbours in the batch no longer share it.

    It runs in the training step, on the accelerator: there it costs nothing that is noticed, the
    number of classes is known from the logits, and integer labels travel from the host.

    Args:
      mixup: parameter of mixup's distribution; 0 for CutMix alone.
      cutmix: parameter of CutMix's; 0 for mixup alone.
      cutmix_share: the probability of CutMix, where both are on.
      probability: the part of the images that are mixed at all.

    Raises:
      UserError: if a setting is out of range.
    """

    def __init__(
        self,
        mixup: float = 0.2,
        cutmix: float = 1.0,
        cutmix_share: float = 0.5,
        probability: float = 1.0,
    ):
        if mixup < 0 or cutmix < 0 or mixup == cutmix == 0:
            raise UserError(
                'mixup_cutmix needs mixup or cutmix above 0, and neither below; '
                f'it got {mixup} and {cutmix}.'
            )
        if not (0 <= cutmix_share <= 1 and 0 <= probability <= 1):
            raise UserError(
                'mixup_cutmix.cutmix_share and probability lie in [0, 1]; '
                f'{cutmix_share} and {probability} do not both.'
            )
        self._cutmix_share = 0.0 if not cutmix else 1.0 if not mixup else cutmix_share
        self._probability = probability
        self._mixup = _beta_quantiles(mixup)
        self._cutmix = _beta_quantiles(cutmix)

    def __call__(
        self, batch: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Mixes a batch.

        Args:
          batch: images, float [batch, height, width, channels].
          labels: class probabilities, float32 [batch, classes].
          seed: int32[2]; everything random is a function of it.

        Returns:
          Images and labels of the same shapes.
        """
        count, height, width = tf.unstack(tf.shape(batch)[:3])
        quantile_seed, choice_seed, centre_seed = images.split(seed, 3)
        quantile = tf.random.stateless_uniform(
            [count], quantile_seed, maxval=_QUANTILES, dtype=tf.int32
        )
        choices = tf.random.stateless_uniform([2, count], choice_seed)
        cuts = choices[0] < self._cutmix_share
        mixes = choices[1] < self._probability
        own = tf.gather(tf.constant(self._mixup, tf.float32), quantile)
        cut = tf.gather(tf.constant(self._cutmix, tf.float32), quantile)
        pasted = _rectangles(tf.sqrt(1 - cut), centre_seed, height, width)
        remaining = 1 - tf.reduce_mean(pasted, [1, 2])
        kept = tf.where(cuts[:, None, None], 1 - pasted, own[:, None, None])
        kept = tf.where(mixes[:, None, None], kept, 1.0)
        share = tf.where(mixes, tf.where(cuts, remaining, own), 1.0)[:, None]
        weight = tf.cast(kept[..., None], batch.dtype)
        mixed = batch * weight + tf.roll(batch, 1, 0) * (1 - weight)
        return mixed, labels * share + tf.roll(labels, 1, 0) * (1 - share)


def _beta_quantiles(parameter: float) -> np.ndarray:
    """Returns equally probable values of Beta(parameter, parameter).

    TensorFlow draws from this distribution by a rejection loop that XLA does not compile.
    """
    if not parameter:
        return np.ones(_QUANTILES)
    return scipy.stats.beta.ppf((np.arange(_QUANTILES) + 0.5) / _QUANTILES, parameter, parameter)


def _rectangles(side: tf.Tensor, seed: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Returns 1 inside and 0 outside of one rectangle an image, float32 [batch, height, width].

    Args:
      side: [batch], the sides of the rectangle as a part of those of the image.
      seed: of the centres.
      height: of the images.
      width: of the images.
    """
    centres = tf.random.stateless_uniform([2, tf.shape(side)[0]], seed)

    def span(centre: tf.Tensor, length: tf.Tensor) -> tf.Tensor:
        length = tf.cast(length, tf.float32)
        middle = tf.floor(centre * length)[:, None]
        half = tf.floor(side * length / 2)[:, None]
        place = tf.range(length)
        return tf.cast((place >= middle - half) & (place < middle + half), tf.float32)

    return span(centres[0], height)[:, :, None] * span(centres[1], width)[:, None, :]
