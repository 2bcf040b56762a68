"""Generative adversarial networks: two networks, two optimizers, with classes or without."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.average import MovingAverage
from garden.core.errors import UserError, did_you_mean
from garden.core.feed import Feed
from garden.core.images import SizedImages
from garden.core.registry import register
from garden.core.task import Batch, Evaluator, Run, Scalars, Task
from garden.evaluators.sample_quality import SampleQuality
from garden.losses import gan as losses
from garden.ops import latent
from garden.ops.image import split
from garden.ops.sampling import Sampler

# What the networks take beside codes and images: the labels, or nothing.
Labels = tuple[tf.Tensor, ...]


@register('tasks', 'gan')
class GAN(Task):
    """Trains a generator against a discriminator.

    A step updates the discriminator, then the generator, each with the other held fixed. Real and
    generated images go through the discriminator one after the other, so that its batch
    normalisation never mixes them. A conditional pair (`num_classes` of both networks) learns the
    classes of the real images; fakes are asked for the classes of the batch.

    Args:
      generator: maps codes, and labels if it has classes, to images.
      discriminator: maps images, and labels, to logits.
      generator_optimizer: trains the former.
      discriminator_optimizer: trains the latter.
      train_data: real images in the generator's range of values.
      quality: judges samples; None evaluates nothing.
      loss: what the two minimise; None for the non-saturating loss.
      distribution: of the codes, 'normal' or 'uniform' (on [-1, 1]).
      discriminator_steps: discriminator updates, and steps of the run, for each of the generator's.
      fresh_codes: whether the generator's update draws codes of its own; if not, it sees those of
        the discriminator's update.
      joint_batch: whether real and generated images go through the discriminator in one batch.
      gradient_penalty: weight of `losses.gan.gradient_penalty`, WGAN-GP's 10.
      r1_penalty: weight of `losses.gan.zero_centred_penalty`.
      average_decay: decay of the moving average of the generator that samples are taken from; None
        for none. The average moves at the generator's updates.
      samples: how many samples an evaluation judges; they have the same codes each time, and
        classes by turns.
      eval_batch_size: how many of them are made at a time.

    Raises:
      UserError: if the networks and the data do not fit one another.
    """

    train_scalars = ('discriminator_loss', 'generator_loss', 'real_logit', 'fake_logit')

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        train_data: SizedImages,
        quality: SampleQuality | None = None,
        loss: losses.AdversarialLoss | None = None,
        distribution: str = 'normal',
        discriminator_steps: int = 1,
        fresh_codes: bool = True,
        joint_batch: bool = False,
        gradient_penalty: float = 0.0,
        r1_penalty: float = 0.0,
        average_decay: float | None = None,
        samples: int = 1000,
        eval_batch_size: int = 250,
    ):
        super().__init__()
        _check(generator, discriminator, train_data, distribution, discriminator_steps)
        self.generator = generator
        self.discriminator = discriminator
        self._train_data = train_data
        self._quality = quality
        self._loss = loss or losses.NonSaturating()
        self._discriminator_steps = discriminator_steps
        self._fresh_codes = fresh_codes
        self._joint_batch = joint_batch
        self._gradient_penalty = gradient_penalty
        self._r1_penalty = r1_penalty
        self._samples = samples
        self._eval_batch_size = eval_batch_size
        self._sampler = Sampler(generator, distribution)
        codes, *labels = self._sampler.inputs(tf.range(1, dtype=tf.int64))
        discriminator(self._sampler(codes, *labels), *labels, training=False)
        self.generator_optimizer = optim.prepare(
            generator_optimizer, generator.trainable_variables, generator
        )
        self.discriminator_optimizer = optim.prepare(
            discriminator_optimizer, discriminator.trainable_variables, discriminator
        )
        self.average = None
        if average_decay is not None:
            self.average = MovingAverage(
                generator.variables, average_decay, discriminator_steps, warm_up=True
            )

    def train_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        return self._train_data(feed)

    def eval_data(self, feed: Feed) -> tf.data.Dataset:
        """Yields the numbers of the samples to judge."""
        if self._quality is None:
            return super().eval_data(feed)
        return feed.numbers(self._samples, self._eval_batch_size)

    def step(self, run: Run, batch: Batch, step: tf.Tensor) -> None:
        """Updates the discriminator, and the generator if it is its turn."""
        turn = (step + 1) % self._discriminator_steps
        if self._discriminator_steps == 1 or turn == 0:
            run(self.train_step, batch)
        else:
            run(self.discriminator_step, batch)

    def train_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """Updates the discriminator, then the generator."""
        scalars = self.discriminator_step(batch, seed)
        return {**scalars, **self.generator_step(batch, seed)}

    def discriminator_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """Updates the discriminator alone."""
        images, labels = batch['image'], self._labels(batch)
        codes_seed, penalty_seed, _ = split(seed, 3)
        fakes = self._fakes(images, labels, codes_seed)

        def critic(x: tf.Tensor) -> tf.Tensor:
            return self.discriminator(x, *labels, training=True)

        variables = self.discriminator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            real_logits, fake_logits = self._logits(images, fakes, labels)
            loss = self._loss.discriminator(real_logits, fake_logits)
            scalars = {
                'discriminator_loss': loss,
                'real_logit': tf.reduce_mean(real_logits),
                'fake_logit': tf.reduce_mean(fake_logits),
            }
            if self._gradient_penalty:
                penalty = losses.gradient_penalty(critic, images, fakes, penalty_seed)
                loss += self._gradient_penalty * penalty
            if self._r1_penalty:
                loss += self._r1_penalty * losses.zero_centred_penalty(critic, images)
        optim.apply_gradients(self.discriminator_optimizer, tape, loss, variables)
        return scalars

    def generator_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """Updates the generator alone."""
        labels = self._labels(batch)
        discriminator_seed, _, own_seed = split(seed, 3)
        codes_seed = own_seed if self._fresh_codes else discriminator_seed
        variables = self.generator.trainable_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            fakes = self._fakes(batch['image'], labels, codes_seed)
            loss = self._loss.generator(self.discriminator(fakes, *labels, training=True))
        optim.apply_gradients(self.generator_optimizer, tape, loss, variables)
        return {'generator_loss': loss}

    def _labels(self, batch: Batch) -> Labels:
        if self.generator.num_classes is None:
            return ()
        if 'label' not in batch:
            raise UserError(
                'The networks of tasks.gan have classes, but its train_data has no labels: set '
                'labels = True of the data loader.'
            )
        return (batch['label'],)

    def _fakes(self, images: tf.Tensor, labels: Labels, seed: tf.Tensor) -> tf.Tensor:
        """Returns as many generated images as there are real ones."""
        codes = self._sampler.codes(tf.shape(images)[0], seed)
        return self.generator(codes, *labels, training=True)

    def _logits(
        self, images: tf.Tensor, fakes: tf.Tensor, labels: Labels
    ) -> tuple[tf.Tensor, tf.Tensor]:
        if not self._joint_batch:
            real = self.discriminator(images, *labels, training=True)
            return real, self.discriminator(fakes, *labels, training=True)
        twice = [tf.concat([part, part], 0) for part in labels]
        both = self.discriminator(tf.concat([images, fakes], 0), *twice, training=True)
        real, fake = tf.split(both, 2)
        return real, fake

    # Samples.

    def eval_step(self, batch: Batch, seed: tf.Tensor) -> tuple[Scalars, Mapping[str, tf.Tensor]]:
        """Makes the samples of a batch of numbers."""
        del seed
        if self._quality is None:
            return {}, {}
        inputs = self._sampler.inputs(batch['number'])
        outputs = {'sample': self._sampler(*inputs)}
        return {}, outputs | ({} if len(inputs) == 1 else {'label': inputs[1]})

    def evaluators(self) -> Mapping[str, Evaluator]:
        """See the base class."""
        return {} if self._quality is None else {'quality': self._quality}

    def averages(self) -> Sequence[MovingAverage]:
        """See the base class."""
        return () if self.average is None else (self.average,)

    def gauges(self) -> Mapping[str, Callable[[], tf.Tensor]]:
        """See the base class."""
        optimizers = {
            'generator_learning_rate': self.generator_optimizer,
            'discriminator_learning_rate': self.discriminator_optimizer,
        }
        return {
            name: functools.partial(optim.learning_rate, optimizer)
            for name, optimizer in optimizers.items()
        }

    def facts(self) -> Mapping[str, str]:
        """See the base class."""
        facts = {'training': self._train_data.summary}
        if self._quality is not None:
            facts['evaluation'] = f'{self._samples:,} samples against {self._quality.summary}'
        return facts

    def models(self) -> Mapping[str, tuple[Any, ...]]:
        """See the base class."""
        codes = tf.TensorSpec([1, self.generator.latent_size], tf.float32)
        images = tf.TensorSpec([1, *self.generator.image_shape], tf.float32)
        labels = () if self.generator.num_classes is None else (tf.TensorSpec([1], tf.int32),)
        return {
            'generator': (self.generator, codes, *labels),
            'discriminator': (self.discriminator, images, *labels),
        }

    def pictures(self, step: int) -> Mapping[str, np.ndarray]:
        """Draws samples whose codes are the same in the whole run, and ways from one to the next.

        With classes, a row of samples is a class and a column a code.
        """
        del step
        from garden.figures import samples

        return samples.draw(self._sampler, self._train_data.denormalize, self._quality)

    def draw_batch(self, batch: Batch) -> Mapping[str, np.ndarray]:
        """Draws the first images of a batch."""
        from garden.figures import samples

        return samples.draw_batch(batch['image'], self._train_data.denormalize)

    def signatures(self) -> Mapping[str, Callable[..., Any]]:
        """Exports samples of a seed and of codes; see `Sampler.signatures`."""
        return self._sampler.signatures(self._train_data.looks)

    def signature_data(self, name: str, feed: Feed) -> Iterator[Batch]:
        """Yields the codes of the samples that evaluations judge."""
        for batch in feed.numbers(self._samples, self._eval_batch_size):
            yield {**batch, **self._sampler.named_inputs(batch['number'])}


def _check(
    generator: Any,
    discriminator: Any,
    data: SizedImages,
    distribution: str,
    discriminator_steps: int,
) -> None:
    if distribution not in latent.DISTRIBUTIONS:
        raise UserError(
            f"gan.distribution is 'normal' or 'uniform', not {distribution!r}."
            f'{did_you_mean(str(distribution), latent.DISTRIBUTIONS)}'
        )
    if discriminator_steps < 1:
        raise UserError(f'gan.discriminator_steps is at least 1; {discriminator_steps} is not.')
    if generator.num_classes != discriminator.num_classes:
        raise UserError(
            f'The generator has num_classes {generator.num_classes}, the discriminator '
            f'{discriminator.num_classes}: give both the same.'
        )
    shape = (data.image_size, data.image_size, data.channels)
    if tuple(generator.image_shape) != shape:
        raise UserError(
            f'The generator makes images of {list(generator.image_shape)}, the data are '
            f'{list(shape)}: set image_size and channels of both alike.'
        )
