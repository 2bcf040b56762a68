"""Variational autoencoders (Kingma and Welling, arXiv:1312.6114), judged by their ELBO in nats."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.average import MovingAverage
from garden.core.errors import UserError, did_you_mean
from garden.core.feed import Feed
from garden.core.image_task import Images, ImageTask, mse
from garden.core.registry import register
from garden.core.task import Batch, Evaluator, Scalars
from garden.evaluators.reconstruction import ActiveUnits
from garden.evaluators.shown import Shown
from garden.losses.likelihood import Bernoulli, Likelihood, kl_to_standard_normal, log_normal
from garden.ops.latent import between, plane

_BINARISATIONS = ('threshold', 'sample')
_DRAWN = 10
_WAY = 11  # Images from one code to another.
_BATCH_SEED, _PRIOR_SEED = (0, 1), (0, 2)


class Model(Protocol):
    """A network that encodes images as Gaussians and decodes draws from them."""

    image_shape: tuple[int, ...]
    latents: int
    variables: list[tf.Variable]
    trainable_variables: list[tf.Variable]

    def __call__(
        self, images: tf.Tensor, noise: tf.Tensor, training: bool = False
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns outputs, mean and log variance of the codes."""

    def encode(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean and log variance of the codes, [batch, latents]."""

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns outputs, parameters of the likelihood."""


@register('tasks', 'vae')
class VAE(ImageTask):
    """Trains an encoder and a decoder on the evidence lower bound.

    The loss of an image is its reconstruction error (the negative log-likelihood given a code,
    summed over pixels) plus beta times the KL divergence of the code from the prior, in nats.

    An evaluation reports 'negative_elbo' = 'reconstruction' + 'kl', with beta 1 whatever was
    trained; 'negative_iwae', the tighter bound of importance weighting (Burda et al.,
    arXiv:1509.00519); 'mse' of the images decoded from the codes' means; and 'active_units'.

    Args:
      model: e.g. `models.dense_vae`.
      optimizer: trains all of it.
      train_data: training batches of images in [0, 1].
      eval_data: evaluation batches.
      likelihood: what the outputs say of the pixels; None for `losses.bernoulli`.
      binarise: 'threshold' makes pixels of 0.5 and more 1 and others 0, 'sample' draws them anew
        each time with their grey level as probability; None leaves them grey, which is no
        likelihood under Bernoulli.
      beta: the weight of the KL divergence. 1 / batch_size is what adding a sum over the batch to a
        KL divergence per example comes to.
      free_bits: nats of each latent, a mean over the replica's batch, that cost nothing.
      importance_samples: draws for each image in evaluation.
      average_decay: decay of the moving average of the weights that evaluation uses; None for none.
      sample_quality: judges images decoded from draws of the prior, one for each image of an
        evaluation, e.g. `evaluators.sample_quality`.

    Raises:
      UserError: if binarise is unknown, importance_samples is not positive, or network and data
        are of different shapes.
    """

    train_scalars = ('loss', 'reconstruction', 'kl')
    eval_scalars = ('negative_elbo', 'reconstruction', 'kl', 'negative_iwae', 'mse')

    def __init__(
        self,
        model: Model,
        optimizer: keras.optimizers.Optimizer,
        train_data: Images,
        eval_data: Images,
        likelihood: Likelihood | None = None,
        binarise: str | None = 'threshold',
        beta: float = 1.0,
        free_bits: float = 0.0,
        importance_samples: int = 100,
        average_decay: float | None = None,
        sample_quality: Evaluator | None = None,
    ):
        super().__init__(model, optimizer, train_data, eval_data)
        if binarise is not None and binarise not in _BINARISATIONS:
            raise UserError(
                f'vae.binarise is None or one of {", ".join(_BINARISATIONS)}, not {binarise!r}.'
                f'{did_you_mean(binarise, _BINARISATIONS)}'
            )
        if importance_samples < 1:
            raise UserError(f'vae.importance_samples is at least 1; {importance_samples} is not.')
        self._likelihood = likelihood or Bernoulli()
        self._binarise = binarise
        self._beta = beta
        self._free_bits = free_bits
        self._samples = importance_samples
        self.average = None
        if average_decay is not None:
            self.average = MovingAverage(model.variables, average_decay, warm_up=True)
        self._shown = Shown(_DRAWN, ('image', 'reconstruction', 'code_mean'))
        self._evaluators: dict[str, Evaluator] = {'shown': self._shown, 'active': ActiveUnits()}
        if sample_quality is not None:
            self._evaluators['sample_quality'] = sample_quality

    def train_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """See the base class."""
        seeds = tf.random.split(seed, 2)
        images = self._seen(batch['image'], seeds[0])
        noise = tf.random.stateless_normal([tf.shape(images)[0], self.model.latents], seeds[1])
        variables = self.model.trainable_variables
        return optim.minimize(self._loss_of, (images, noise), self.optimizer, variables)

    def _loss_of(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, Scalars]:
        images, noise = batch
        outputs, mean, log_variance = self.model(images, noise, training=True)
        reconstruction = tf.reduce_mean(self._likelihood(images, outputs))
        by_latent = tf.reduce_mean(kl_to_standard_normal(mean, log_variance), axis=0)
        kl = tf.reduce_sum(by_latent)
        charged = tf.reduce_sum(tf.maximum(by_latent, self._free_bits))
        loss = reconstruction + self._beta * charged
        return loss, {'loss': loss, 'reconstruction': reconstruction, 'kl': kl}

    def eval_step(self, batch: Batch, seed: tf.Tensor) -> tuple[Scalars, Mapping[str, tf.Tensor]]:
        """See the base class."""
        seeds = tf.random.split(seed, 3)
        images = self._seen(batch['image'], seeds[0])
        mean, log_variance = self.model.encode(images)
        errors, log_weights = self._draws(images, mean, log_variance, seeds[1])
        reconstruction = tf.reduce_mean(errors, axis=0)
        kl = tf.reduce_sum(kl_to_standard_normal(mean, log_variance), axis=-1)
        bound = tf.reduce_logsumexp(log_weights, axis=0) - math.log(self._samples)
        decoded = self._image_of(mean)
        scalars = {
            'negative_elbo': reconstruction + kl,
            'reconstruction': reconstruction,
            'kl': kl,
            'negative_iwae': -bound,
            'mse': mse(images, decoded),
        }
        outputs = {'image': images, 'reconstruction': decoded, 'code_mean': mean}
        if 'sample_quality' in self._evaluators:
            outputs['sample'] = self._image_of(self._prior(tf.shape(images)[0], seeds[2]))
        return scalars, outputs

    def _draws(
        self, images: tf.Tensor, mean: tf.Tensor, log_variance: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws codes one after the other, to hold one image of each at a time.

        Returns:
          -log p(image | code) and log p(image, code) / q(code | image), each
          [importance_samples, batch].
        """

        def draw(number: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            noise = tf.random.stateless_normal(tf.shape(mean), tf.random.fold_in(seed, number))
            code = mean + tf.exp(0.5 * log_variance) * noise
            error = self._likelihood(images, self.model.decode(code))
            prior = log_normal(code, tf.zeros_like(code), tf.zeros_like(code))
            return error, prior - error - log_normal(code, mean, log_variance)

        return tf.map_fn(
            draw,
            tf.range(self._samples),
            fn_output_signature=(tf.float32, tf.float32),
            parallel_iterations=1,
        )

    def evaluators(self) -> Mapping[str, Evaluator]:
        """See the base class."""
        return self._evaluators

    def averages(self) -> Sequence[MovingAverage]:
        """See the base class."""
        return () if self.average is None else (self.average,)

    def models(self) -> Mapping[str, tuple[Any, ...]]:
        """See the base class."""
        image = tf.TensorSpec([1, *self.model.image_shape], tf.float32)
        return {'model': (self.model, image, tf.TensorSpec([1, self.model.latents], tf.float32))}

    def pictures(self, step: int) -> Mapping[str, np.ndarray]:
        """Draws reconstructions, samples of the prior, the way from one code to another.

        Where a code has two numbers, also what stands at each place of their plane.
        """
        del step
        from garden.figures.mosaic import mosaic, strips

        shown = self._shown.outputs
        pairs = zip(shown['code_mean'][0::2], shown['code_mean'][1::2], strict=False)
        ways = [between('normal', start, end, _WAY) for start, end in pairs]
        drawn = {
            'reconstructions': strips(
                {name: self._looks(shown[name]) for name in ('image', 'reconstruction')}
            ),
            'samples': mosaic(self._decoded(self._prior(100, tf.constant(_PRIOR_SEED))), 10),
            'interpolations': mosaic(self._decoded(tf.concat(ways, 0)), _WAY),
        }
        if self.model.latents == 2:
            drawn['latent_plane'] = mosaic(self._decoded(plane(20)), 20)
        return drawn

    def draw_batch(self, batch: Batch) -> Mapping[str, np.ndarray]:
        """Draws the first images of a batch."""
        from garden.figures.mosaic import mosaic

        images = self._seen(batch['image'][:_DRAWN], tf.constant(_BATCH_SEED))
        return {'batch': mosaic(self._looks(images), _DRAWN)}

    def signatures(self) -> Mapping[str, Callable[..., Any]]:
        """Exports `encode`, `decode`, `reconstruct` and `sample`.

        Images go in as the data loader makes them and are thresholded where training does so.
        `reconstruct_picture` takes the bytes of files, and gives what the image decoded from the
        code's mean looks like and its squared error, a mean over the pixels.
        """
        image = tf.TensorSpec([None, *self.model.image_shape], tf.float32, name='image')
        latent = tf.TensorSpec([None, self.model.latents], tf.float32, name='latent')
        draw = [
            tf.TensorSpec([], tf.int32, name='num'),
            tf.TensorSpec([2], tf.int32, name='seed'),
            tf.TensorSpec([], tf.float32, name='temperature'),
        ]

        @tf.function(input_signature=[image])
        def encode(image: tf.Tensor) -> Mapping[str, tf.Tensor]:
            mean, log_variance = self._code_of(image)
            return {'mean': mean, 'log_variance': log_variance}

        @tf.function(input_signature=[latent])
        def decode(latent: tf.Tensor) -> Mapping[str, tf.Tensor]:
            return {'image': self._image_of(latent)}

        @tf.function(input_signature=[image])
        def reconstruct(image: tf.Tensor) -> Mapping[str, tf.Tensor]:
            return {'image': self._image_of(self._code_of(image)[0])}

        @tf.function(input_signature=draw)
        def sample(num: tf.Tensor, seed: tf.Tensor, temperature: tf.Tensor) -> Mapping[str, Any]:
            latent = temperature * self._prior(num, seed)
            return {'image': self._image_of(latent), 'latent': latent}

        return {
            'encode': encode,
            'decode': decode,
            'reconstruct': reconstruct,
            'reconstruct_picture': self._reconstruct_picture(),
            'sample': sample,
            'serving_default': reconstruct,
        }

    def _reconstruct_picture(self) -> Callable[..., Any]:
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name='picture')])
        def reconstruct_picture(picture: tf.Tensor) -> Mapping[str, tf.Tensor]:
            images = self._thresholded(self._read(picture))
            decoded = self._image_of(self.model.encode(images)[0])
            return {'picture': self._eval_data.looks(decoded), 'mse': mse(images, decoded)}

        return reconstruct_picture

    def signature_data(self, name: str, feed: Feed) -> Iterator[Batch]:
        """Yields images, and draws of the prior."""
        for number, batch in enumerate(self.eval_data(feed)):
            yield {**batch, 'latent': self._prior(len(batch['image']), tf.constant([number, 3]))}

    def _seen(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns images as the network sees them."""
        if self._binarise == 'threshold':
            return _threshold(images)
        if self._binarise == 'sample':
            drawn = tf.random.stateless_uniform(tf.shape(images), seed)
            return tf.cast(drawn < images, tf.float32)
        return images

    def _prior(self, count: tf.Tensor | int, seed: tf.Tensor) -> tf.Tensor:
        return tf.random.stateless_normal([count, self.model.latents], seed)

    def _code_of(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean and log variance of the codes of images as the data loader makes them."""
        return self.model.encode(self._thresholded(images))

    def _thresholded(self, images: tf.Tensor) -> tf.Tensor:
        return _threshold(images) if self._binarise == 'threshold' else images

    def _image_of(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns the images that are expected for codes [n, latents]."""
        return self._likelihood.mean(self.model.decode(codes))

    def _decoded(self, codes: tf.Tensor) -> np.ndarray:
        return self._looks(self._image_of(codes))

    def _looks(self, images: tf.Tensor) -> np.ndarray:
        return self._eval_data.denormalize(np.asarray(images))


def _threshold(images: tf.Tensor) -> tf.Tensor:
    return tf.cast(images >= 0.5, tf.float32)
