"""A generative adversarial network without automatic differentiation, in plain NumPy.

An earlier attempt at this, a GAN for MNIST written by hand, never learned anything. What it did
wrong, and where it is done right here (tests/tasks/test_numpy_gan.py holds each against autodiff):

1. It sent the value of the loss backward, not its derivative, so that sign and slope were lost.
   `losses.numpy_gan` returns the gradients of the logits beside the value.
2. The passes of real and generated images wrote one cache: the gradient of the former used the
   activations of the latter. Here `forward` returns the cache and `backward` is given it.
3. ReLU and its derivative worked in place and overwrote the activations that the gradient of the
   weights needs. No layer changes an array.
4. The generator's error was the discriminator's loss, spread over all pixels: nothing flowed
   through the discriminator. `losses.generator_gradients` goes back through both networks.
5. Accumulators were added to the weights twice, the first time with half of the gradient. Gradients
   are returned, summed once, and applied once.
6. Biases were never updated. `Linear` has a gradient for each parameter, and Adam moves all.
7. Gradients were sums over the batch, not means: the step grew with the batch.
8. exp overflowed and log met 0. The losses work on logits, in forms that cannot.
9. Codes came from U(0, 1), whose mean is not 0. They come from N(0, 1).
10. A last, smaller batch was filled by repeating its pixels (np.resize). Data loaders give whole
    batches.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import threadpoolctl

from garden.core.arrays import Arrays
from garden.core.feed import Feed
from garden.core.images import Images
from garden.core.registry import register
from garden.core.task import Batch, Evaluator, Scalars, Task
from garden.evaluators.sample_quality import SampleQuality
from garden.losses import numpy_gan as losses
from garden.losses.numpy_gan import Parameters
from garden.ops.sampling import Sampler


class Network(losses.Differentiable, Protocol):
    """A network; see `models.numpy_layers`."""

    def initial(self, rng: np.random.Generator) -> Parameters:
        """Returns parameters to start from."""

    def graph(self, parameters: Parameters, x: tf.Tensor) -> tf.Tensor:
        """Returns the output as TensorFlow computes it."""


class Optimizer(Protocol):
    """Moves parameters; see `optimizers.numpy_adam`."""

    def initial(self, parameters: Parameters) -> Parameters:
        """Returns the state to start from."""

    def update(
        self, parameters: Parameters, gradients: Parameters, state: Parameters
    ) -> tuple[Parameters, Parameters]:
        """Returns the parameters and the state after an update."""


class _Generator:
    """A generator as `Sampler` wants it."""

    num_classes = None

    def __init__(self, latent_size: int, images: Callable[[Any], Any]):
        self.latent_size = latent_size
        self._images = images

    def __call__(self, codes: tf.Tensor, training: bool) -> Any:
        del training
        return self._images(codes)


@register('tasks', 'numpy_gan')
class NumpyGAN(Task):
    """Trains a generator against a discriminator, with gradients by hand.

    A step updates the discriminator, then the generator, which sees codes of its own. The loss
    is the non-saturating one (arXiv:1406.2661, section 3).

    Args:
      generator: maps codes to images.
      discriminator: maps images to logits.
      generator_optimizer: trains the former.
      discriminator_optimizer: trains the latter.
      train_data: real images.
      quality: judges samples.
      latent_size: width of the codes, which come from N(0, 1).
      average_decay: decay d of the moving average of the generator that samples are taken from; at
        the n-th step, d is at most (1 + n) / (10 + n).
      samples: how many samples an evaluation judges; their codes are the same each time.
      eval_batch_size: how many of them are made at a time.
    """

    train_scalars = (
        'discriminator_loss',
        'generator_loss',
        'discriminator_gradient_norm',
        'generator_gradient_norm',
    )
    compiled = False

    def __init__(
        self,
        generator: Network,
        discriminator: Network,
        generator_optimizer: Optimizer,
        discriminator_optimizer: Optimizer,
        train_data: Images,
        quality: SampleQuality,
        latent_size: int = 64,
        average_decay: float = 0.995,
        samples: int = 1000,
        eval_batch_size: int = 250,
    ):
        super().__init__()
        self._threads = threadpoolctl.ThreadpoolController()
        self._networks = (generator, discriminator)
        self._optimizers = (generator_optimizer, discriminator_optimizer)
        self._train_data = train_data
        self._quality = quality
        self._latent_size = latent_size
        self._sampler = Sampler(_Generator(latent_size, self._images), 'normal')
        self._decay = average_decay
        self._samples = samples
        self._eval_batch_size = eval_batch_size
        rng = np.random.default_rng(np.random.randint(2**31))
        self.generator = Arrays(generator.initial(rng))
        self.discriminator = Arrays(discriminator.initial(rng))
        self.average = Arrays(self.generator.values)
        self.generator_slots = Arrays(generator_optimizer.initial(self.generator.values))
        self.discriminator_slots = Arrays(
            discriminator_optimizer.initial(self.discriminator.values)
        )

    def train_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        return self._train_data(feed)

    def eval_data(self, feed: Feed) -> tf.data.Dataset:
        """Yields the numbers of the samples to judge."""
        return feed.numbers(self._samples, self._eval_batch_size)

    def train_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """Updates the discriminator, then the generator."""
        # The matrices are small: on two busy cores, more threads took 27 times the processor time,
        # waiting for one another.
        with self._threads.limit(limits=1, user_api='blas'):
            return self._updated(batch['image'].numpy(), seed.numpy())

    def _updated(self, real: np.ndarray, seed: np.ndarray) -> Scalars:
        generator, discriminator = self._networks
        to_generator, to_discriminator = self._optimizers
        rng = np.random.default_rng(seed.view(np.uint32))
        for_discriminator, codes = rng.standard_normal(
            (2, len(real), self._latent_size), np.float32
        )
        fake, _ = generator.forward(self.generator.values, for_discriminator)
        d_loss, d_gradients = losses.discriminator_gradients(
            discriminator, self.discriminator.values, real, fake
        )
        self.discriminator.values, self.discriminator_slots.values = to_discriminator.update(
            self.discriminator.values, d_gradients, self.discriminator_slots.values
        )
        g_loss, g_gradients = losses.generator_gradients(
            generator, self.generator.values, discriminator, self.discriminator.values, codes
        )
        self.generator.values, self.generator_slots.values = to_generator.update(
            self.generator.values, g_gradients, self.generator_slots.values
        )
        self._move_average()
        return {
            'discriminator_loss': d_loss,
            'generator_loss': g_loss,
            # Not finite before the weights are: such a state is never saved.
            'discriminator_gradient_norm': _norm(d_gradients),
            'generator_gradient_norm': _norm(g_gradients),
        }

    def _move_average(self) -> None:
        steps = int(self.generator_slots.values['updates'])
        kept = min(self._decay, (1 + steps) / (10 + steps))
        self.average.values = {
            name: kept * value + (1 - kept) * self.generator.values[name]
            for name, value in self.average.values.items()
        }

    def eval_step(self, batch: Batch, seed: tf.Tensor) -> tuple[Scalars, Mapping[str, tf.Tensor]]:
        """Makes the samples of a batch of numbers."""
        del seed
        return {}, {'sample': self._sampler(*self._sampler.inputs(batch['number']))}

    def _images(self, codes: Any) -> np.ndarray:
        """Returns the images of codes, made with the averaged weights."""
        return self._networks[0].forward(self.average.values, np.asarray(codes))[0]

    def evaluators(self) -> Mapping[str, Evaluator]:
        """See the base class."""
        return {'quality': self._quality}

    def facts(self) -> Mapping[str, str]:
        """See the base class."""
        return {
            'generator': f'{_count(self.generator.values):,} parameters, in NumPy',
            'discriminator': f'{_count(self.discriminator.values):,} parameters, in NumPy',
            'training': self._train_data.summary,
            'evaluation': f'{self._samples:,} samples against {self._quality.summary}',
        }

    def pictures(self, step: int) -> Mapping[str, np.ndarray]:
        """Draws samples of the same codes in the whole run, ways between some, and real images."""
        del step
        from garden.figures import samples

        return samples.draw(self._sampler, self._train_data.denormalize, self._quality)

    def draw_batch(self, batch: Batch) -> Mapping[str, np.ndarray]:
        """Draws the first images of a batch."""
        from garden.figures import samples

        return samples.draw_batch(batch['image'], self._train_data.denormalize)

    def signatures(self) -> Mapping[str, Callable[..., Any]]:
        """Exports `Sampler.signatures`: TensorFlow makes the samples, with the averaged weights."""
        network, weights = self._networks[0], self.average.values
        generator = _Generator(self._latent_size, lambda codes: network.graph(weights, codes))
        return Sampler(generator, 'normal').signatures(self._train_data.looks)

    def signature_data(self, name: str, feed: Feed) -> Iterator[Batch]:
        """Yields the codes of the samples that evaluations judge."""
        for batch in feed.numbers(self._samples, self._eval_batch_size):
            yield {**batch, **self._sampler.named_inputs(batch['number'])}


def _norm(arrays: Parameters) -> float:
    return float(np.sqrt(sum(np.vdot(array, array) for array in arrays.values())))


def _count(arrays: Parameters) -> int:
    return sum(array.size for array in arrays.values())
