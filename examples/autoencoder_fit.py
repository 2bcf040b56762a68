"""Autoencoders trained by Keras `fit`: Garden's registered parts, without its trainer.

    python examples/autoencoder_fit.py

The data loaders, networks, losses and optimizers are those of the experiments autoencoder_mini and
vae_mini, and so are the losses of every step, given the same weights, batches and noise; a test
holds the two ways of training to that.
"""

from collections.abc import Callable

import tensorflow as tf
import tf_keras as keras

from garden import registry
from garden.core.feed import Feed
from garden.losses.likelihood import kl_to_standard_normal

IMAGE_SHAPE = (8, 8, 1)
STEPS_PER_EPOCH = 22


def digits(batch_size: int, seed: int = 0) -> tf.data.Dataset:
    """Returns endless batches of digit scans, float32 [batch_size, 8, 8, 1] in [0, 1]."""
    source = registry.get('sources', 'tfds')('digits', 'mixed_train')
    loader = registry.get('dataloaders', 'images')(
        source, batch_size, training=True, image_size=8, channels=1, cache=True
    )
    return loader(Feed(seed=seed)).map(lambda batch: batch['image'])


def autoencoder() -> keras.Model:
    """Returns a compiled autoencoder, to be fitted to pairs (images, images)."""
    model = registry.get('models', 'autoencoder')(
        IMAGE_SHAPE, encoder=(16,), output_activation='sigmoid'
    )
    adam = registry.get('optimizers', 'adam')(learning_rate=5e-3)
    model.compile(optimizer=adam, loss=registry.get('losses', 'gaussian')())
    return model


def vae() -> keras.Model:
    """Returns a compiled variational autoencoder, fitted to pairs ((images, noise), images)."""
    network = registry.get('models', 'dense_vae')(IMAGE_SHAPE, latents=8, hidden=(200,))
    images, noise = keras.Input(IMAGE_SHAPE), keras.Input([network.latents])
    outputs, mean, log_variance = network(images, noise)
    model = keras.Model([images, noise], outputs)
    divergence = tf.reduce_sum(kl_to_standard_normal(mean, log_variance), axis=-1)
    model.add_loss(tf.reduce_mean(divergence))
    adam = registry.get('optimizers', 'adam')(learning_rate=2e-3)
    model.compile(optimizer=adam, loss=registry.get('losses', 'bernoulli')())
    return model


def with_noise(
    images: tf.data.Dataset, latents: int, seed_of: Callable[[tf.Tensor], tf.Tensor]
) -> tf.data.Dataset:
    """Returns what a variational autoencoder is fitted to: images made black and white, and noise.

    Args:
      images: batches [n, h, w, c] in [0, 1].
      latents: length of the code.
      seed_of: the seed (int32[2]) of the noise of a step (int64).
    """

    def pair(step: tf.Tensor, images: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], tf.Tensor]:
        images = tf.cast(images >= 0.5, tf.float32)
        noise = tf.random.stateless_normal([tf.shape(images)[0], latents], seed_of(step))
        return (images, noise), images

    return images.enumerate().map(pair)


def main() -> None:
    """Fits both for a few epochs."""
    keras.utils.set_random_seed(0)
    pairs = digits(64).map(lambda images: (images, images))
    autoencoder().fit(pairs, steps_per_epoch=STEPS_PER_EPOCH, epochs=5)
    noisy = with_noise(digits(64), 8, lambda step: tf.stack([0, tf.cast(step, tf.int32)]))
    vae().fit(noisy, steps_per_epoch=STEPS_PER_EPOCH, epochs=5)


if __name__ == '__main__':
    main()
