"""What translators between two domains without pairs minimise: CycleGAN's losses and DiscoGAN's."""

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register
from garden.losses.gan import AdversarialLoss

Parts = Mapping[str, tf.Tensor]
# The weight of a loss, or one that depends on how often the generators have been updated.
Weight = float | Callable[[tf.Tensor], tf.Tensor]


def l1(images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns the mean absolute difference of each pair of images, float32 [batch]."""
    return _mean_of_each(tf.abs(images - others))


def l2(images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns the mean squared difference of each pair of images, float32 [batch]."""
    return _mean_of_each((images - others) ** 2)


_DISTANCES = {'l1': l1, 'l2': l2}


def feature_matching(real: Sequence[tf.Tensor], fake: Sequence[tf.Tensor]) -> tf.Tensor:
    """Returns how far the mean feature maps of two batches are apart (arXiv:1606.03498, 3.1).

    It is the sum over layers of the mean squared difference, as in DiscoGAN's code.

    Args:
      real: the discriminator's maps for real images, each [batch, height, width, channels].
      fake: those for fake images.
    """
    return tf.add_n(
        [
            tf.reduce_mean((tf.reduce_mean(one, 0) - tf.reduce_mean(other, 0)) ** 2)
            for one, other in zip(real, fake, strict=True)
        ]
    )


@register('losses', 'translation')
class Translation:
    """The losses of two translators, there and back, and of the discriminators they play against.

    The generators minimise the weighted sum of up to four losses, each the sum over both ways; the
    discriminators half of the adversarial loss's other side. A weight may be a schedule of the
    number of updates that the generators have had, e.g. `schedules.piecewise`. What has the weight
    0 is not computed.

    Args:
      adversarial: the game, e.g. `losses.least_squares`.
      adversarial_weight: of the game.
      cycle_weight: of the distance of an image from its translation there and back
        (arXiv:1703.10593, section 3.2).
      cycle_distance: 'l1' or 'l2', the mean absolute or squared difference.
      identity_weight: of the l1 distance of an image from what the generator that leads to its own
        domain makes of it (section 5.2); for domains of one shape.
      feature_weight: of `feature_matching`, for discriminators with a method `seen`.

    Attributes:
      parts: the names of the losses that have a weight.

    Raises:
      UserError: for an unknown distance.
    """

    def __init__(
        self,
        adversarial: AdversarialLoss,
        adversarial_weight: Weight = 1.0,
        cycle_weight: Weight = 10.0,
        cycle_distance: str = 'l1',
        identity_weight: Weight = 0.0,
        feature_weight: Weight = 0.0,
    ):
        if cycle_distance not in _DISTANCES:
            raise UserError(
                f'losses.translation.cycle_distance is one of {", ".join(_DISTANCES)}; '
                f'{cycle_distance!r} is not.{did_you_mean(cycle_distance, _DISTANCES)}'
            )
        self._adversarial = adversarial
        self._distance = _DISTANCES[cycle_distance]
        weights = {
            'adversarial': adversarial_weight,
            'features': feature_weight,
            'cycle': cycle_weight,
            'identity': identity_weight,
        }
        self._weights = {part: weight for part, weight in weights.items() if weight != 0}
        self.parts = tuple(self._weights)

    def one_way(
        self,
        start: tf.Tensor,
        end: tf.Tensor,
        there: keras.Model,
        back: keras.Model,
        judge: keras.Model,
    ) -> tuple[tf.Tensor, Parts]:
        """Returns the translation of a batch, and the losses of one way.

        Args:
          start: images of the one domain.
          end: images of the other.
          there: translates from the one to the other.
          back: translates back.
          judge: the discriminator of the other domain.
        """
        fake = there(start, training=True)
        losses = {}
        if 'features' in self.parts:
            logits, features = judge.seen(fake, training=True)
            _, real = judge.seen(end, training=True)
            losses['features'] = feature_matching(real, features)
        else:
            logits = judge(fake, training=True)
        if 'adversarial' in self.parts:
            losses['adversarial'] = self._adversarial.generator(logits)
        if 'cycle' in self.parts:
            losses['cycle'] = tf.reduce_mean(self._distance(back(fake, training=True), start))
        if 'identity' in self.parts:
            losses['identity'] = tf.reduce_mean(l1(there(end, training=True), end))
        return fake, losses

    def total(self, losses: Parts, updates: tf.Tensor) -> tf.Tensor:
        """Returns the weighted sum, for generators that have been updated so many times."""
        weights = {
            part: weight(updates) if callable(weight) else weight
            for part, weight in self._weights.items()
        }
        return tf.add_n([weights[part] * losses[part] for part in self.parts])

    def discriminator(self, judge: keras.Model, real: tf.Tensor, fake: tf.Tensor) -> tf.Tensor:
        """Returns what one discriminator minimises."""
        real_logits, fake_logits = judge(real, training=True), judge(fake, training=True)
        return 0.5 * self._adversarial.discriminator(real_logits, fake_logits)


def _mean_of_each(values: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(values, axis=range(1, values.shape.rank))
