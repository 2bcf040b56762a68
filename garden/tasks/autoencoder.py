"""Autoencoders, plain and denoising: one network, half the squared error of its reconstructions."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.feed import Feed
from garden.core.image_task import Images, ImageTask, mse
from garden.core.registry import register
from garden.core.standardization import Standardization
from garden.core.task import Batch, Evaluator, Scalars
from garden.evaluators.reconstruction import PCABaseline
from garden.evaluators.shown import Shown
from garden.losses.likelihood import Gaussian

# (images, seed) -> the images, corrupted.
Corruption = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

_DRAWN = 10


class Model(Protocol):
    """A network that maps images to reconstructions by way of codes."""

    image_shape: tuple[int, ...]
    code_size: int
    trainable_variables: list[tf.Variable]

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Returns the reconstructions."""

    def encode(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the codes [batch, code_size]."""

    def decode(self, codes: tf.Tensor) -> tf.Tensor:
        """Returns images."""

    def filters(self) -> np.ndarray:
        """Returns what the units of the first layer look for, [units, h, w, c]."""


@register('tasks', 'autoencoder')
class Autoencoder(ImageTask):
    """Trains a network to reproduce its input, whole or corrupted.

    The loss of an image is half the squared error of its reconstruction, summed over pixels. All
    errors are measured on what the network sees: standardised images, if so set.

    Args:
      model: maps images to reconstructions by way of codes, e.g. `models.autoencoder`.
      optimizer: trains all of it.
      train_data: training batches.
      eval_data: evaluation batches.
      standardize: whether each pixel is brought to mean 0 and variance 1 over the training images.
      corrupt: what is done to the input in training; the target stays whole.
      eval_corrupt: what is done to it in evaluation, for 'denoised_mse', the error of what the
        network makes of it, beside 'noisy_mse', that of the corrupted image itself. The other
        metrics are of whole input.
      compare_with_pca: whether an evaluation also reports the error of as many principal components
        as a code has numbers; the training images are then held in memory.
    """

    def __init__(
        self,
        model: Model,
        optimizer: keras.optimizers.Optimizer,
        train_data: Images,
        eval_data: Images,
        standardize: bool = False,
        corrupt: Corruption | None = None,
        eval_corrupt: Corruption | None = None,
        compare_with_pca: bool = False,
    ):
        super().__init__(model, optimizer, train_data, eval_data)
        self._corrupt = corrupt
        self._eval_corrupt = eval_corrupt
        self._loss = Gaussian()
        self.standardization = Standardization(model.image_shape) if standardize else None
        denoising = ('noisy_mse', 'denoised_mse') if eval_corrupt else ()
        self.eval_scalars = ('loss', 'mse', *denoising)
        strips = ('corrupted', 'denoised') if eval_corrupt else ()
        self._shown = Shown(_DRAWN, ('image', *strips, 'reconstruction'))
        self._pca = None
        if compare_with_pca:
            self._pca = PCABaseline(model.code_size, self._training_images)

    def initialize(self) -> None:
        """Learns mean and scale of the training images."""
        if self.standardization is not None:
            self.standardization.fit(self._raw_training_images())

    def train_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """See the base class."""
        targets = self._seen(batch['image'])
        inputs = targets if self._corrupt is None else self._corrupt(targets, seed)
        variables = self.model.trainable_variables
        return optim.minimize(self._loss_of, (inputs, targets), self.optimizer, variables)

    def _loss_of(self, batch: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, Scalars]:
        inputs, targets = batch
        loss = tf.reduce_mean(self._loss(targets, self.model(inputs, training=True)))
        return loss, {'loss': loss}

    def eval_step(self, batch: Batch, seed: tf.Tensor) -> tuple[Scalars, Mapping[str, tf.Tensor]]:
        """See the base class."""
        images = self._seen(batch['image'])
        outputs = {'image': images, 'reconstruction': self._reproduced(images)}
        loss = self._loss(images, outputs['reconstruction'])
        scalars = {'loss': loss, 'mse': mse(images, outputs['reconstruction'])}
        if self._eval_corrupt is not None:
            outputs['corrupted'] = self._eval_corrupt(images, seed)
            outputs['denoised'] = self._reproduced(outputs['corrupted'])
            scalars['noisy_mse'] = mse(images, outputs['corrupted'])
            scalars['denoised_mse'] = mse(images, outputs['denoised'])
        return scalars, outputs

    def evaluators(self) -> Mapping[str, Evaluator]:
        """See the base class."""
        pca = {} if self._pca is None else {'pca': self._pca}
        return {'shown': self._shown, **pca}

    def models(self) -> Mapping[str, tuple[Any, ...]]:
        """See the base class."""
        return {'model': (self.model, tf.TensorSpec([1, *self.model.image_shape], tf.float32))}

    def pictures(self, step: int) -> Mapping[str, np.ndarray]:
        """Draws reconstructions, and what the first layer looks for."""
        del step
        from garden.figures.mosaic import mosaic, strips

        rows = {name: self._as_it_looks(images) for name, images in self._shown.outputs.items()}
        return {
            'reconstructions': strips(rows),
            'filters': mosaic(_contrasted(self.model.filters()[:100]), columns=10),
        }

    def draw_batch(self, batch: Batch) -> Mapping[str, np.ndarray]:
        """Draws the first images of a batch, and corrupted as in training."""
        from garden.figures.mosaic import strips

        images = self._seen(batch['image'][:_DRAWN])
        rows = {'image': images}
        if self._corrupt is not None:
            rows['corrupted'] = self._corrupt(images, tf.zeros([2], tf.int32))
        return {'batch': strips({name: self._as_it_looks(row) for name, row in rows.items()})}

    def signatures(self) -> Mapping[str, Callable[..., Any]]:
        """Exports `encode`, `decode` and `reconstruct`, of images as the data loader makes them.

        `reconstruct_picture` takes the bytes of files, and gives what the reconstruction looks like
        and its squared error, of what the network sees, a mean over the pixels.
        """
        image = tf.TensorSpec([None, *self.model.image_shape], tf.float32, name='image')
        code = tf.TensorSpec([None, self.model.code_size], tf.float32, name='code')

        @tf.function(input_signature=[image])
        def encode(image: tf.Tensor) -> Mapping[str, tf.Tensor]:
            return {'code': tf.cast(self.model.encode(self._seen(image)), tf.float32)}

        @tf.function(input_signature=[code])
        def decode(code: tf.Tensor) -> Mapping[str, tf.Tensor]:
            return {'image': self._raw(self.model.decode(code))}

        @tf.function(input_signature=[image])
        def reconstruct(image: tf.Tensor) -> Mapping[str, tf.Tensor]:
            return {'image': self._raw(self._reproduced(self._seen(image)))}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name='picture')])
        def reconstruct_picture(picture: tf.Tensor) -> Mapping[str, tf.Tensor]:
            images = self._seen(self._read(picture))
            reproduced = self._reproduced(images)
            looks = self._eval_data.looks(self._raw(reproduced))
            return {'picture': looks, 'mse': mse(images, reproduced)}

        return {
            'encode': encode,
            'decode': decode,
            'reconstruct': reconstruct,
            'reconstruct_picture': reconstruct_picture,
            'serving_default': reconstruct,
        }

    def signature_data(self, name: str, feed: Feed) -> Iterator[Batch]:
        """Yields images, and their codes."""
        for batch in self.eval_data(feed):
            yield {**batch, 'code': self.model.encode(self._seen(batch['image']))}

    def _reproduced(self, images: tf.Tensor) -> tf.Tensor:
        return tf.cast(self.model(images, training=False), tf.float32)

    def _seen(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images as the network sees them."""
        return images if self.standardization is None else self.standardization(images)

    def _raw(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images as the data loader makes them of those that the network sees."""
        images = tf.cast(images, tf.float32)
        return images if self.standardization is None else self.standardization.inverse(images)

    def _as_it_looks(self, images: np.ndarray) -> np.ndarray:
        return self._eval_data.denormalize(self._raw(images).numpy())

    def _raw_training_images(self) -> Iterator[np.ndarray]:
        """Yields the training images, each once, as the data loader makes them."""
        left = self._train_data.num_examples
        batches = self._train_data(Feed()).take(self._train_data.steps_per_epoch)
        for batch in batches.as_numpy_iterator():
            yield batch['image'][:left]
            left -= len(batch['image'])

    def _training_images(self) -> Iterator[np.ndarray]:
        """Yields the training images as the network sees them."""
        for images in self._raw_training_images():
            yield np.asarray(self._seen(images))


def _contrasted(filters: np.ndarray) -> np.ndarray:
    """Returns filters [n, h, w, c] as uint8: grey is 0, black or white the largest of a filter."""
    largest = np.abs(filters).max(axis=(1, 2, 3), keepdims=True)
    return np.round(127.5 + 127.5 * filters / np.maximum(largest, 1e-12)).astype(np.uint8)
