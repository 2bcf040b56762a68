"""Image classification: one network, one optimizer, softmax cross entropy, top-1 and top-5."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.average import MovingAverage
from garden.core.calibration import BatchStatistics, Calibration
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.registry import register
from garden.core.task import Batch, Evaluator, Scalars, Task
from garden.evaluators.classification import ConfusionMatrix
from garden.losses.classification import cross_entropy

_MAX_CONFUSION = 200

# (class numbers or probabilities, logits) -> the loss of each example.
Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# (images, class probabilities, seed) -> the two, mixed.
Mix = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class Images(Protocol):
    """Batches of {'image': [b, h, w, 3], 'label': int32 [b]}, as the data loaders make."""

    image_size: int
    class_names: Sequence[str] | None
    summary: str

    def __call__(self, feed: Feed) -> tf.data.Dataset:
        """Returns the batches of one replica."""

    def unpack(self, batch: Batch) -> Batch:
        """Returns the batch with images that are float32 and normalised."""

    def read(self, stored: tf.Tensor) -> tf.Tensor:
        """Returns what an evaluation makes of one picture, given its bytes or pixels."""

    def denormalize(self, images: np.ndarray) -> np.ndarray:
        """Returns normalised images as they look, uint8."""


@register('tasks', 'image_classification')
class ImageClassification(Task):
    """Trains a classifier.

    Args:
      model: maps images [b, h, w, 3] to logits [b, classes].
      optimizer: trains all trainable variables of the model.
      train_data: training batches; labels may be mixed, float32 [b, classes].
      eval_data: evaluation batches.
      label_smoothing: the probability mass spread evenly over all classes, in training.
      loss: takes the place of the cross entropy in training; label smoothing is then its matter.
      mix: mixes training images and their labels, e.g. `augmentations.mixup_cutmix`.
      micro_batches: parts into which a replica's batch is cut to save memory; the update is that of
        the whole batch.
      average_decay: decay of the moving average of all weights and statistics that evaluation uses;
        None for none.
      average_interval: steps between two updates of the average.
      average_warm_up: whether the decay is small at first, so that a short run does not average its
        own initial weights.
      average_start: up to this step the average is the weights themselves.
      precise_batches: training batches from which each evaluation estimates the statistics of
        BatchNorm anew (precise BatchNorm, as in pycls); 0 to evaluate with the moving ones.
      mistakes: how many misclassified images an evaluation draws.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        train_data: Images,
        eval_data: Images,
        label_smoothing: float = 0.0,
        loss: Loss | None = None,
        mix: Mix | None = None,
        micro_batches: int = 1,
        average_decay: float | None = None,
        average_interval: int = 1,
        average_warm_up: bool = True,
        average_start: int = 0,
        precise_batches: int = 0,
        mistakes: int = 0,
    ):
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise UserError(
                f'image_classification.label_smoothing lies in [0, 1); {label_smoothing} does not.'
            )
        if loss is not None and label_smoothing:
            raise UserError(
                'image_classification.label_smoothing is about the cross entropy; the loss that is '
                'bound has a setting of its own for it.'
            )
        self._train_data = train_data
        self._eval_data = eval_data
        self._loss = loss or functools.partial(cross_entropy, label_smoothing=label_smoothing)
        self._mix = mix
        self._precise_batches = precise_batches
        self._micro_batches = micro_batches
        self._mistakes = mistakes
        self.model = model
        size = train_data.image_size
        self._image_shape = (size, size, 3)
        classes = model(keras.Input(self._image_shape)).shape[-1]
        self._names = [str(i) for i in range(classes)]
        self.optimizer = optim.prepare(optimizer, model.trainable_variables, model)
        self.average = None
        if average_decay is not None:
            self.average = MovingAverage(
                model.variables,
                average_decay,
                average_interval,
                average_warm_up,
                average_start,
            )
        self.train_scalars = ('loss', 'top1')
        # Among few classes, being in the best five says nothing.
        self.eval_scalars = ('loss', 'top1') + (('top5',) if classes > 10 else ())
        self._confusion = None
        if classes <= _MAX_CONFUSION:
            self._confusion = ConfusionMatrix(classes, mistakes)

    def train_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        return self._checked(self._train_data)(feed)

    def eval_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        return self._checked(self._eval_data)(feed)

    def _checked(self, data: Images) -> Images:
        """Makes sure that the model and the data have the same classes.

        Not in the constructor: a task can be built, described and exported where its data are not.
        """
        names = data.class_names
        first = self._train_data.class_names
        if names is not None and first is not None and list(names) != list(first):
            unlike = sorted({*names} ^ {*first}) or 'their order'
            raise UserError(
                f'The classes of the training and of the evaluation data differ: {unlike}. '
                'A label must mean the same in both.'
            )
        if names is not None and len(names) != len(self._names):
            raise UserError(
                f'The model tells {len(self._names)} classes apart, the data has {len(names)}: '
                "set the model's num_classes."
            )
        self._names = list(names or self._names)
        return data

    def train_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """See the base class."""
        variables = self.model.trainable_variables
        batch = self._mixed(self._train_data.unpack(batch), seed)
        return optim.minimize(self._loss_of, batch, self.optimizer, variables, self._micro_batches)

    def _mixed(self, batch: Batch, seed: tf.Tensor) -> Batch:
        if self._mix is None:
            return batch
        labels = batch['label']
        if labels.shape.rank == 1:
            labels = tf.one_hot(labels, len(self._names))
        images, labels = self._mix(batch['image'], labels, seed)
        return {**batch, 'image': images, 'label': labels}

    def _loss_of(self, batch: Batch) -> tuple[tf.Tensor, Scalars]:
        logits = self.model(batch['image'], training=True)
        loss = tf.reduce_mean(self._loss(batch['label'], logits))
        labels = batch['label']
        if labels.shape.rank == 2:
            labels = tf.argmax(labels, axis=-1, output_type=tf.int32)
        return loss, {'loss': loss, 'top1': tf.reduce_mean(_in_top(labels, logits, 1))}

    def eval_step(self, batch: Batch, seed: tf.Tensor) -> tuple[Scalars, Mapping[str, tf.Tensor]]:
        """See the base class."""
        del seed
        batch = self._eval_data.unpack(batch)
        logits = tf.cast(self.model(batch['image'], training=False), tf.float32)
        labels = batch['label']
        scalars = {'loss': cross_entropy(labels, logits), 'top1': _in_top(labels, logits, 1)}
        if 'top5' in self.eval_scalars:
            scalars['top5'] = _in_top(labels, logits, 5)
        outputs = {
            'label': labels,
            'prediction': tf.argmax(logits, axis=-1, output_type=tf.int32),
            'confidence': tf.reduce_max(tf.nn.softmax(logits), axis=-1),
        }
        if self._mistakes:
            outputs['image'] = batch['image']
        return scalars, outputs

    def evaluators(self) -> Mapping[str, Evaluator]:
        """See the base class."""
        return {} if self._confusion is None else {'confusion': self._confusion}

    def averages(self) -> Sequence[MovingAverage]:
        """See the base class."""
        return () if self.average is None else (self.average,)

    def calibration(self) -> Calibration | None:
        """See the base class."""
        if not self._precise_batches:
            return None
        statistics = BatchStatistics(self.model)

        def of_part(images: tf.Tensor) -> list[tf.Tensor]:
            return statistics.of(lambda: self.model(images, training=True))

        def of_batch(batch: Batch) -> list[tf.Tensor]:
            images = self._train_data.unpack(batch)['image']
            return optim.mean_over_parts(of_part, images, self._micro_batches)

        return Calibration(statistics.variables, of_batch, self._precise_batches)

    def gauges(self) -> Mapping[str, Callable[[], tf.Tensor]]:
        """See the base class."""
        return {'learning_rate': lambda: optim.learning_rate(self.optimizer)}

    def facts(self) -> Mapping[str, str]:
        """See the base class."""
        return {'training': self._train_data.summary, 'evaluation': self._eval_data.summary}

    def models(self) -> Mapping[str, tuple[Any, ...]]:
        """See the base class."""
        shape = [1, *self._image_shape]
        return {'model': (self.model, tf.TensorSpec(shape, tf.float32))}

    def pictures(self, step: int) -> Mapping[str, np.ndarray]:
        """Draws the confusion matrix, and the mistakes made with most conviction."""
        del step
        if self._confusion is None:
            return {}
        # Matplotlib costs a second to import, which a run that draws nothing need not pay.
        from garden.figures import classification

        names = self._names
        drawn = {'confusion': classification.confusion(self._confusion.counts, names)}
        if self._confusion.worst:
            worst = [
                (sure, label, said, self._eval_data.denormalize(image))
                for sure, label, said, image in self._confusion.worst
            ]
            drawn['mistakes'] = classification.mistakes(worst, names)
        return drawn

    def draw_batch(self, batch: Batch) -> Mapping[str, np.ndarray]:
        """Draws the first images of a batch with their labels, of mixed ones the larger part's."""
        from garden.figures.grid import image_grid

        batch = self._mixed(self._train_data.unpack(batch), tf.zeros([2], tf.int32))
        images = self._train_data.denormalize(batch['image'][:25].numpy())
        labels = batch['label'][:25].numpy()
        if labels.ndim == 2:
            labels = labels.argmax(axis=1)
        return {'batch': image_grid(list(images), [self._names[label] for label in labels])}

    def signatures(self) -> Mapping[str, Callable[..., Any]]:
        """Exports normalised images to logits, and encoded pictures to named probabilities."""
        shape = [None, *self._image_shape]

        def logits(image: tf.Tensor) -> tf.Tensor:
            return tf.cast(self.model(image, training=False), tf.float32)

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name='image')])
        def classify(image: tf.Tensor) -> Mapping[str, tf.Tensor]:
            return {'logits': logits(image)}

        spec = tf.TensorSpec(self._image_shape, tf.float32)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name='picture')])
        def classify_picture(picture: tf.Tensor) -> Mapping[str, tf.Tensor]:
            images = tf.map_fn(self._eval_data.read, picture, fn_output_signature=spec)
            probability = tf.nn.softmax(logits(images))
            names = tf.broadcast_to(tf.constant(self._class_names()), tf.shape(probability))
            return {'probability': probability, 'class_name': names}

        return {'serving_default': classify, 'classify_picture': classify_picture}

    def signature_data(self, name: str, feed: Feed) -> Iterable[Batch]:
        """See the base class."""
        return map(self._eval_data.unpack, self.eval_data(feed))

    def _class_names(self) -> Sequence[str]:
        try:
            return self._eval_data.class_names or self._names
        except UserError:  # The data, which know the names, are not here.
            return self._names


def _in_top(labels: tf.Tensor, logits: tf.Tensor, k: int) -> tf.Tensor:
    """Returns 1.0 where the label is among the k largest logits, else 0.0; [batch]."""
    if k == 1:
        return tf.cast(tf.equal(tf.argmax(logits, -1, output_type=tf.int32), labels), tf.float32)
    return tf.cast(tf.math.in_top_k(labels, tf.cast(logits, tf.float32), k), tf.float32)
