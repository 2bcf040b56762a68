"""What a decoder's outputs say of an image, in nats, and how far a code strays from its prior."""

from typing import Protocol

import tensorflow as tf

from garden.core.registry import register


class Likelihood(Protocol):
    """A distribution of images, given by the outputs of a network."""

    def __call__(self, images: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Returns -log p(images), summed over pixels: float32 [batch].

        Args:
          images: [batch, height, width, channels].
          outputs: what the network makes, of the same shape.
        """

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """Returns the image that is expected."""


@register('losses', 'bernoulli')
class Bernoulli:
    """Pixels that are on or off; the outputs are their logits.

    Of images that are 0 and 1 this is a likelihood; of grey levels it is the customary cross
    entropy, whose least value is not 0.
    """

    def __call__(self, images: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`."""
        outputs = tf.cast(outputs, tf.float32)
        nats = tf.nn.sigmoid_cross_entropy_with_logits(labels=images, logits=outputs)
        return _sum(nats)

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`."""
        return tf.sigmoid(tf.cast(outputs, tf.float32))


@register('losses', 'gaussian')
class Gaussian:
    """Pixels with Gaussian noise of variance 1 about the outputs.

    The constant log(2 pi) / 2 of each pixel is left out: what remains is half the squared error.
    """

    def __call__(self, images: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`."""
        return 0.5 * _sum(tf.square(tf.cast(outputs, tf.float32) - images))

    def mean(self, outputs: tf.Tensor) -> tf.Tensor:
        """See `Likelihood`."""
        return tf.cast(outputs, tf.float32)


def kl_to_standard_normal(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """Returns KL(N(mean, variance) || N(0, 1)) of each latent, in nats; the shape is that of both.

    Kingma and Welling, Auto-Encoding Variational Bayes (arXiv:1312.6114), appendix B.
    """
    return 0.5 * (tf.square(mean) + tf.exp(log_variance) - 1 - log_variance)


def log_normal(values: tf.Tensor, mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """Returns log N(values; mean, variance), summed over the last axis."""
    squares = tf.square(values - mean) * tf.exp(-log_variance)
    constant = 1.8378770664093453  # log(2 pi)
    return -0.5 * tf.reduce_sum(squares + log_variance + constant, axis=-1)


def _sum(pixels: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(pixels, axis=tf.range(1, tf.rank(pixels)))
