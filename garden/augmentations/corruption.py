"""What denoising autoencoders are to undo: functions of (images, seed)."""

import tensorflow as tf

from garden.core.errors import UserError
from garden.core.registry import register


@register('augmentations', 'gaussian_noise')
class GaussianNoise:
    """Adds Gaussian noise to every value.

    Args:
      scale: its standard deviation, in the units of the images.
      shared: whether one noise image is drawn for the whole batch, as in TensorFlow's first
        denoising autoencoder; a network then learns less from a batch than it could.

    Raises:
      UserError: if the scale is negative.
    """

    def __init__(self, scale: float = 0.5, shared: bool = False):
        if scale < 0:
            raise UserError(f'gaussian_noise.scale is at least 0; {scale} is not.')
        self._scale = scale
        self._shared = shared

    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the images with noise.

        Args:
          images: float [batch, height, width, channels].
          seed: int32[2] or int64[2], of the stateless random ops.
        """
        shape = tf.shape(images)
        drawn = tf.concat([[1], shape[1:]], 0) if self._shared else shape
        return images + self._scale * tf.random.stateless_normal(drawn, seed, dtype=images.dtype)


@register('augmentations', 'masking_noise')
class MaskingNoise:
    """Sets values to 0, each with the same probability (Vincent et al. 2008, section 2.3).

    Args:
      keep: the probability that a value stays.
      rescale: whether those that stay are divided by `keep`, as by dropout, and as in TensorFlow's
        first masking autoencoder: the mean then stays, and no value does.

    Raises:
      UserError: if the probability is not in (0, 1].
    """

    def __init__(self, keep: float = 0.75, rescale: bool = False):
        if not 0 < keep <= 1:
            raise UserError(f'masking_noise.keep lies in (0, 1]; {keep} does not.')
        self._keep = keep
        self._rescale = rescale

    def __call__(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns the images with holes; for the arguments see `GaussianNoise`."""
        kept = tf.random.stateless_uniform(tf.shape(images), seed) < self._keep
        survivors = images / self._keep if self._rescale else images
        return tf.where(kept, survivors, tf.zeros_like(images))
