"""Losses of adversarial training: what a discriminator and a generator minimise.

Each is an object with two methods, `discriminator(real_logits, fake_logits)` and
`generator(fake_logits)`. Logits are the discriminator's raw outputs of any shape ([batch],
[batch, 1], or a map for each image) and the losses are means over all of them: float32 scalars.
"""

from collections.abc import Callable
from typing import Protocol

import tensorflow as tf

from garden.core.errors import UserError
from garden.core.registry import register


class AdversarialLoss(Protocol):
    """The two sides of a game."""

    def discriminator(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns what the discriminator minimises, a float32 scalar."""

    def generator(self, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns what the generator minimises, a float32 scalar."""


@register('losses', 'non_saturating')
class NonSaturating:
    """Binary cross entropy; the generator maximises log D(G(z)) (arXiv:1406.2661, section 3).

    The logits must not have gone through a sigmoid: the loss applies it.

    Args:
      label_smoothing: how far the target of real images lies below 1 (one-sided label smoothing,
        arXiv:1606.03498, section 3.4).

    Raises:
      UserError: if label_smoothing is out of range.
    """

    def __init__(self, label_smoothing: float = 0.0):
        if not 0 <= label_smoothing < 1:
            raise UserError(
                f'non_saturating.label_smoothing lies in [0, 1); {label_smoothing} does not.'
            )
        self._real = 1.0 - label_smoothing

    def discriminator(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns the cross entropy of the real logits plus that of the fake ones."""
        return _cross_entropy(real_logits, self._real) + _cross_entropy(fake_logits, 0.0)

    def generator(self, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns the cross entropy of the fake logits with the target of real ones, 1."""
        return _cross_entropy(fake_logits, 1.0)


@register('losses', 'least_squares')
class LeastSquares:
    """Squared distance of the logits from 1 (real) and 0 (fake), as in LSGAN (arXiv:1611.04076).

    The paper's factors 1/2 are left to the user: CycleGAN halves the discriminator's loss only.
    """

    def discriminator(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns mean (real - 1)^2 + mean fake^2."""
        return tf.reduce_mean((_float(real_logits) - 1) ** 2) + tf.reduce_mean(
            _float(fake_logits) ** 2
        )

    def generator(self, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns mean (fake - 1)^2."""
        return tf.reduce_mean((_float(fake_logits) - 1) ** 2)


@register('losses', 'hinge')
class Hinge:
    """The hinge loss (arXiv:1705.02894, arXiv:1802.05957)."""

    def discriminator(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns mean max(0, 1 - real) + mean max(0, 1 + fake)."""
        real, fake = tf.nn.relu(1 - _float(real_logits)), tf.nn.relu(1 + _float(fake_logits))
        return tf.reduce_mean(real) + tf.reduce_mean(fake)

    def generator(self, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns -mean fake."""
        return -tf.reduce_mean(_float(fake_logits))


@register('losses', 'wasserstein')
class Wasserstein:
    """The critic's difference of means (arXiv:1701.07875).

    It is the Wasserstein distance only for a critic that is 1-Lipschitz: see `gradient_penalty`.
    """

    def discriminator(self, real_logits: tf.Tensor, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns mean fake - mean real."""
        return tf.reduce_mean(_float(fake_logits)) - tf.reduce_mean(_float(real_logits))

    def generator(self, fake_logits: tf.Tensor) -> tf.Tensor:
        """Returns -mean fake."""
        return -tf.reduce_mean(_float(fake_logits))


def gradient_penalty(
    critic: Callable[[tf.Tensor], tf.Tensor], real: tf.Tensor, fake: tf.Tensor, seed: tf.Tensor
) -> tf.Tensor:
    """Returns mean (|gradient| - 1)^2 at random points between real and fake (arXiv:1704.00028).

    Args:
      critic: maps images to logits, each image by itself: no batch normalisation.
      real: images [batch, ...].
      fake: images of the same shape.
      seed: int32[2], of the places between the two.
    """
    share = tf.random.stateless_uniform([tf.shape(real)[0]] + [1] * (real.shape.rank - 1), seed)
    norms = tf.sqrt(_squared_slopes(critic, fake + share * (real - fake)))
    return tf.reduce_mean((norms - 1) ** 2)


def zero_centred_penalty(critic: Callable[[tf.Tensor], tf.Tensor], real: tf.Tensor) -> tf.Tensor:
    """Returns mean |gradient|^2 / 2 at real images: R1 (arXiv:1801.04406)."""
    return tf.reduce_mean(_squared_slopes(critic, real)) / 2


def _squared_slopes(critic: Callable[[tf.Tensor], tf.Tensor], images: tf.Tensor) -> tf.Tensor:
    """Returns the squared norm of the critic's gradient at each image, float32 [batch]."""
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(images)
        logits = tf.reduce_sum(_float(critic(images)))
    slopes = _float(tape.gradient(logits, images))
    # sqrt has no slope at 0, where a critic may well be flat.
    return tf.reduce_sum(slopes**2, axis=range(1, slopes.shape.rank)) + 1e-12


def _cross_entropy(logits: tf.Tensor, target: float) -> tf.Tensor:
    logits = _float(logits)
    targets = target * tf.ones_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=logits))


def _float(logits: tf.Tensor) -> tf.Tensor:
    return tf.cast(logits, tf.float32)
