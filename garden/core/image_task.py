"""Tasks of one network and one optimizer that learn from images alone."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.images import SizedImages
from garden.core.task import Task


class Images(SizedImages, Protocol):
    """Images of one size, as many as there are."""

    num_examples: int
    steps_per_epoch: int


class ImageTask(Task):
    """Holds the network, its optimizer and the images; a subclass says what is learnt.

    Args:
      model: a network with the attribute `image_shape`.
      optimizer: trains all of it.
      train_data: training batches.
      eval_data: evaluation batches.

    Raises:
      UserError: if the network is for images of another shape.
    """

    def __init__(
        self,
        model: Any,
        optimizer: keras.optimizers.Optimizer,
        train_data: Images,
        eval_data: Images,
    ):
        super().__init__()
        for data in (train_data, eval_data):
            shape = (data.image_size, data.image_size, data.channels)
            if tuple(model.image_shape) != shape:
                raise UserError(
                    f'The network is for images of {list(model.image_shape)}, the data are '
                    f'{list(shape)}: set image_shape of the model, or image_size and channels of '
                    'the data loader.'
                )
        self._train_data = train_data
        self._eval_data = eval_data
        self.model = model
        self.optimizer = optim.prepare(optimizer, model.trainable_variables, model)

    def train_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        return self._train_data(feed)

    def eval_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        return self._eval_data(feed)

    def _read(self, pictures: tf.Tensor) -> tf.Tensor:
        """Returns what an evaluation makes of pictures, given the bytes of their files [batch]."""
        spec = tf.TensorSpec(self.model.image_shape, tf.float32)
        return tf.map_fn(self._eval_data.read, pictures, fn_output_signature=spec)

    def gauges(self) -> Mapping[str, Callable[[], tf.Tensor]]:
        """See the base class."""
        return {'learning_rate': lambda: optim.learning_rate(self.optimizer)}

    def facts(self) -> Mapping[str, str]:
        """See the base class."""
        return {'training': self._train_data.summary, 'evaluation': self._eval_data.summary}


def mse(images: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Returns the squared error of each image, a mean over its pixels: [batch]."""
    return tf.reduce_mean(tf.square(images - others), axis=[1, 2, 3])
