"""Translation between two domains of images without pairs: CycleGAN and DiscoGAN.

Two generators, a_to_b and b_to_a, and a discriminator for each domain. What CycleGAN
(arXiv:1703.10593) and DiscoGAN (arXiv:1703.05192) do differently are settings: the losses, whether
discriminators see earlier fakes too, and which networks are updated in a step.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.image_pool import ImagePool
from garden.core.images import SizedImages
from garden.core.registry import register
from garden.core.task import Batch, Evaluator, Run, Scalars, Task
from garden.evaluators.shown import Shown
from garden.losses.translation import Translation, l1

_NAME = 'tasks.unpaired_translation'


class Pairs(Protocol):
    """Batches {'a': ..., 'b': ...} of two domains, as `dataloaders.unpaired` makes them."""

    a: SizedImages
    b: SizedImages
    summary: str

    def __call__(self, feed: Feed) -> tf.data.Dataset:
        """Returns the batches of one replica."""


@register('tasks', 'unpaired_translation')
class UnpairedTranslation(Task):
    """Trains translators in both directions on two piles of images.

    Args:
      a_to_b: maps images of domain a to images of domain b.
      b_to_a: the way back.
      discriminator_a: maps images of domain a, real and fake, to logits.
      discriminator_b: the same for domain b.
      generator_optimizer: trains both generators.
      discriminator_optimizer: trains both discriminators.
      train_data: training batches.
      eval_data: evaluation batches.
      loss: what the networks minimise.
      pool: images of earlier steps that each discriminator keeps on each replica; see `ImagePool`.
      discriminator_interval: None to update all networks in each step; n to update the
        discriminators in the first of every n steps, and the generators in the others.
      evaluators: more metrics, by name. They get 'a', 'b' (the images), 'a_to_b', 'b_to_a' (their
        translations), 'a_to_b_to_a', 'b_to_a_to_b', and where the data have labels 'a_label' and
        'b_label'.
      shown: how many images of each domain are drawn with their translations.

    Raises:
      UserError: if the networks do not fit the domains, or the interval leaves out the generators.
    """

    def __init__(
        self,
        a_to_b: keras.Model,
        b_to_a: keras.Model,
        discriminator_a: keras.Model,
        discriminator_b: keras.Model,
        generator_optimizer: keras.optimizers.Optimizer,
        discriminator_optimizer: keras.optimizers.Optimizer,
        train_data: Pairs,
        eval_data: Pairs,
        loss: Translation,
        pool: int = 0,
        discriminator_interval: int | None = None,
        evaluators: Mapping[str, Evaluator] | None = None,
        shown: int = 8,
    ):
        super().__init__()
        if discriminator_interval is not None and discriminator_interval < 2:
            raise UserError(
                f'{_NAME}.discriminator_interval is None or at least 2; {discriminator_interval} '
                'leaves no step for the generators.'
            )
        self._train_data, self._eval_data = train_data, eval_data
        self.a_to_b, self.b_to_a = a_to_b, b_to_a
        self.discriminator_a, self.discriminator_b = discriminator_a, discriminator_b
        self._loss = loss
        self._interval = discriminator_interval
        self._shapes = {key: _shape(getattr(train_data, key)) for key in ('a', 'b')}
        self._check_networks()
        self.pool_a, self.pool_b = (ImagePool(pool, shape) for shape in self._shapes.values())
        self.generator_optimizer = optim.prepare(generator_optimizer, self._generator_variables)
        self.discriminator_optimizer = optim.prepare(
            discriminator_optimizer, self._discriminator_variables
        )
        self.train_scalars = ('generator_loss', 'discriminator_loss', *loss.parts)
        self.eval_scalars = ('cycle_l1_a', 'cycle_l1_b')
        self._shown = Shown(shown)
        self._evaluators = {**(evaluators or {}), 'shown': self._shown}

    def _check_networks(self) -> None:
        a, b = self._shapes['a'], self._shapes['b']
        for name, domain, made in (
            ('a_to_b', a, b),
            ('b_to_a', b, a),
            ('discriminator_a', a, None),
            ('discriminator_b', b, None),
        ):
            try:
                found = tuple(getattr(self, name)(keras.Input(domain)).shape[1:])
            except ValueError as error:
                raise UserError(
                    f'{_NAME}.{name} does not take images of {_text(domain)}: set the input_'
                    'channels of the model, or image_size and channels of the data.'
                ) from error
            if made not in (None, found):
                raise UserError(
                    f'{_NAME}.{name} makes {_text(found)} of {_text(domain)}, but the images of '
                    f'the other domain are {_text(made)}.'
                )
        if 'identity' in self._loss.parts and a != b:
            raise UserError(
                'losses.translation.identity_weight is for domains of one shape; these are '
                f'{_text(a)} and {_text(b)}.'
            )
        judges = (self.discriminator_a, self.discriminator_b)
        if 'features' in self._loss.parts and not all(hasattr(one, 'seen') for one in judges):
            raise UserError(
                'losses.translation.feature_weight is for discriminators that hand out what they '
                'see, e.g. models.discogan_discriminator.'
            )

    @property
    def _generator_variables(self) -> list[tf.Variable]:
        return self.a_to_b.trainable_variables + self.b_to_a.trainable_variables

    @property
    def _discriminator_variables(self) -> list[tf.Variable]:
        return self.discriminator_a.trainable_variables + self.discriminator_b.trainable_variables

    def train_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        return self._train_data(feed)

    def eval_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        return self._eval_data(feed)

    def step(self, run: Run, batch: Batch, step: tf.Tensor) -> None:
        """See the base class."""
        if self._interval is None:
            run(self.train_step, batch)
        elif step % self._interval == 0:
            run(self.discriminator_step, batch)
        else:
            run(self.generator_step, batch)

    def train_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """Updates the generators, then the discriminators on what these had made before."""
        a, b = batch['a']['image'], batch['b']['image']
        fake_a, fake_b, scalars = self._update_generators(a, b)
        return {**scalars, **self._update_discriminators(a, b, fake_a, fake_b, seed)}

    def generator_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """Updates the generators only."""
        del seed
        return self._update_generators(batch['a']['image'], batch['b']['image'])[2]

    def discriminator_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """Updates the discriminators only."""
        a, b = batch['a']['image'], batch['b']['image']
        fake_a, fake_b = self.b_to_a(b, training=True), self.a_to_b(a, training=True)
        return self._update_discriminators(a, b, fake_a, fake_b, seed)

    def _update_generators(
        self, a: tf.Tensor, b: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, Scalars]:
        """Returns the fakes of before the update, and the losses."""
        variables = self._generator_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            fake_b, one = self._loss.one_way(a, b, self.a_to_b, self.b_to_a, self.discriminator_b)
            fake_a, other = self._loss.one_way(b, a, self.b_to_a, self.a_to_b, self.discriminator_a)
            losses = {part: one[part] + other[part] for part in self._loss.parts}
            loss = self._loss.total(losses, self.generator_optimizer.iterations)
        optim.apply_gradients(self.generator_optimizer, tape, loss, variables)
        return fake_a, fake_b, {'generator_loss': loss, **losses}

    def _update_discriminators(
        self, a: tf.Tensor, b: tf.Tensor, fake_a: tf.Tensor, fake_b: tf.Tensor, seed: tf.Tensor
    ) -> Scalars:
        seed_a, seed_b = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        fake_a = self.pool_a.exchange(fake_a, seed_a)
        fake_b = self.pool_b.exchange(fake_b, seed_b)
        variables = self._discriminator_variables
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            loss = self._loss.discriminator(self.discriminator_a, a, fake_a)
            loss += self._loss.discriminator(self.discriminator_b, b, fake_b)
        optim.apply_gradients(self.discriminator_optimizer, tape, loss, variables)
        return {'discriminator_loss': loss}

    def eval_step(self, batch: Batch, seed: tf.Tensor) -> tuple[Scalars, Mapping[str, tf.Tensor]]:
        """See the base class; the distances are mean absolute differences, in the images' units."""
        del seed
        a, b = batch['a']['image'], batch['b']['image']
        outputs = {'a': a, 'b': b}
        outputs['a_to_b'] = self.a_to_b(a, training=False)
        outputs['b_to_a'] = self.b_to_a(b, training=False)
        outputs['a_to_b_to_a'] = self.b_to_a(outputs['a_to_b'], training=False)
        outputs['b_to_a_to_b'] = self.a_to_b(outputs['b_to_a'], training=False)
        outputs |= {f'{k}_label': batch[k]['label'] for k in ('a', 'b') if 'label' in batch[k]}
        scalars = {
            'cycle_l1_a': l1(outputs['a_to_b_to_a'], a),
            'cycle_l1_b': l1(outputs['b_to_a_to_b'], b),
        }
        return scalars, outputs

    def evaluators(self) -> Mapping[str, Evaluator]:
        """See the base class."""
        return self._evaluators

    def gauges(self) -> Mapping[str, Callable[[], tf.Tensor]]:
        """See the base class."""
        return {
            'generator_learning_rate': lambda: optim.learning_rate(self.generator_optimizer),
            'discriminator_learning_rate': lambda: optim.learning_rate(
                self.discriminator_optimizer
            ),
        }

    def facts(self) -> Mapping[str, str]:
        """See the base class."""
        return {'training': self._train_data.summary, 'evaluation': self._eval_data.summary}

    def models(self) -> Mapping[str, tuple[Any, ...]]:
        """See the base class."""
        a, b = (tf.TensorSpec([1, *shape], tf.float32) for shape in self._shapes.values())
        return {
            'a_to_b': (self.a_to_b, a),
            'b_to_a': (self.b_to_a, b),
            'discriminator_a': (self.discriminator_a, a),
            'discriminator_b': (self.discriminator_b, b),
        }

    def pictures(self, step: int) -> Mapping[str, np.ndarray]:
        """Draws images, their translations, and what comes back, one below the other."""
        del step
        from garden.figures.mosaic import strips

        def row(domain: str, name: str) -> np.ndarray:
            return getattr(self._eval_data, domain).denormalize(self._shown.outputs[name])

        return {
            f'{one}_to_{other}': strips(
                {
                    one: row(one, one),
                    f'{one} to {other}': row(other, f'{one}_to_{other}'),
                    f'{one} to {other} to {one}': row(one, f'{one}_to_{other}_to_{one}'),
                }
            )
            for one, other in (('a', 'b'), ('b', 'a'))
        }

    def draw_batch(self, batch: Batch) -> Mapping[str, np.ndarray]:
        """Draws the first images of either domain."""
        from garden.figures.mosaic import mosaic

        def drawn(key: str) -> np.ndarray:
            images = batch[key]['image'][:24].numpy()
            return mosaic(getattr(self._train_data, key).denormalize(images), columns=8)

        return {f'batch_{key}': drawn(key) for key in ('a', 'b')}

    def signatures(self) -> Mapping[str, Callable[..., Any]]:
        """Exports both translators: images in the units of the data to images.

        `a_to_b_picture` and `b_to_a_picture` take the bytes of files and give pictures.
        """
        return {
            **self._translator('a_to_b', self.a_to_b),
            **self._translator('b_to_a', self.b_to_a),
        }

    def _translator(self, name: str, network: keras.Model) -> Mapping[str, Callable[..., Any]]:
        start, end = name.split('_to_')
        shape = self._shapes[start]
        read, looks = getattr(self._eval_data, start).read, getattr(self._eval_data, end).looks

        @tf.function(input_signature=[tf.TensorSpec([None, *shape], tf.float32, name='image')])
        def translate(image: tf.Tensor) -> Mapping[str, tf.Tensor]:
            return {'image': network(image, training=False)}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name='picture')])
        def translate_picture(picture: tf.Tensor) -> Mapping[str, tf.Tensor]:
            spec = tf.TensorSpec(shape, tf.float32)
            images = tf.map_fn(read, picture, fn_output_signature=spec)
            return {'picture': looks(network(images, training=False))}

        return {name: translate, f'{name}_picture': translate_picture}

    def signature_data(self, name: str, feed: Feed) -> Iterator[Batch]:
        """Yields the images that a translator starts from."""
        for pair in self.eval_data(feed):
            yield {**pair[name.split('_to_')[0]], 'mask': pair['mask']}


def _shape(domain: SizedImages) -> tuple[int, int, int]:
    return (domain.image_size, domain.image_size, domain.channels)


def _text(shape: Sequence[int]) -> str:
    return ' x '.join(map(str, shape))
