"""Implicit neural representations: a network is fitted to one signal, point by point (SIREN)."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.registry import register
from garden.core.task import Batch, Evaluator, Scalars, Task
from garden.evaluators.shown import Shown
from garden.ops import derivatives
from garden.ops.derivatives import Field

_DERIVATIVES = ('gradient', 'laplacian')
_IMAGE = 2  # Coordinates of a picture, of which derivatives are worth seeing.


class Signal(Protocol):
    """Points of a signal, as the data loaders make them."""

    dimensions: int
    channels: int
    summary: str

    @property
    def shape(self) -> tuple[int, ...]:
        """The points of the evaluated grid along each coordinate."""

    @property
    def grid(self) -> Mapping[str, np.ndarray]:
        """The truth at these points, by name."""

    def training(self, feed: Feed) -> tf.data.Dataset:
        """Returns the training batches of one replica, as the loss wants them."""

    def evaluation(self, feed: Feed) -> tf.data.Dataset:
        """Returns batches of the grid: 'coordinates' [n, d], 'value' [n, c], 'mask' [n]."""


class Loss(Protocol):
    """What the field is fitted to; see garden.losses.fields."""

    needs: Sequence[str]  # What a batch must hold.
    terms: Sequence[str]
    open_constant: bool  # Whether it says nothing of a constant that is added to the field.

    def __call__(self, field: Field, batch: Batch, seed: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Returns the terms of the loss."""


@register('tasks', 'siren')
class Siren(Task):
    """Fits a network to a signal, by its values, by derivatives of it or by an equation.

    Args:
      model: maps coordinates [n, d] to values [n, c].
      optimizer: trains all variables of the model.
      data: the signal.
      loss: what is to be small; the training reports its terms, and their sum as 'loss'.
      evaluator: compares 'value' with 'true_value', e.g. `evaluators.psnr`.

    Raises:
      UserError: if the model makes another number of values than the signal has.
    """

    def __init__(
        self,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        data: Signal,
        loss: Loss,
        evaluator: Evaluator,
    ):
        super().__init__()
        self.model = model
        self._data = data
        self._loss = loss
        self._evaluator = evaluator
        self._shown = Shown()
        outputs = model(keras.Input([data.dimensions])).shape[-1]
        if outputs != data.channels:
            raise UserError(
                f'The model makes {outputs} values at a point and the signal has {data.channels}: '
                "make the model's outputs as many as the data loader's channels."
            )
        self.optimizer = optim.prepare(optimizer, model.trainable_variables, model)
        terms = loss.terms if len(loss.terms) > 1 else ()
        self.train_scalars = ('loss', *terms)

    def train_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        data = self._data.training(feed)
        lacking = [name for name in self._loss.needs if name not in data.element_spec]
        if lacking:
            raise UserError(
                f'The loss needs {", ".join(lacking)} of each point, and {self._data} gives '
                f'{", ".join(data.element_spec)}: bind another loss or another data loader.'
            )
        return data

    def eval_data(self, feed: Feed) -> tf.data.Dataset:
        """See the base class."""
        return self._data.evaluation(feed)

    def train_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """See the base class."""

        def loss_of(batch: Batch) -> tuple[tf.Tensor, Scalars]:
            terms = self._loss(self.model, batch, seed)
            loss = tf.add_n(list(terms.values()))
            scalars = {'loss': loss, **terms}
            return loss, {name: scalars[name] for name in self.train_scalars}

        return optim.minimize(loss_of, batch, self.optimizer, self.model.trainable_variables)

    def eval_step(self, batch: Batch, seed: tf.Tensor) -> tuple[Scalars, Mapping[str, tf.Tensor]]:
        """See the base class."""
        del seed
        given = ('coordinates', 'known')
        outputs = {name: batch[name] for name in batch if name in given}
        outputs |= {
            f'true_{name}': batch[name] for name in batch if name in ('value', *_DERIVATIVES)
        }
        if self._data.dimensions == _IMAGE:
            found = derivatives.laplacian(self.model, batch['coordinates'])
            return {}, outputs | dict(zip(('value', *_DERIVATIVES), found, strict=True))
        return {}, outputs | {'value': self.model(batch['coordinates'])}

    def evaluators(self) -> Mapping[str, Evaluator]:
        """See the base class."""
        return {'quality': self._evaluator, 'shown': self._shown}

    def gauges(self) -> Mapping[str, Callable[[], tf.Tensor]]:
        """See the base class."""
        return {'learning_rate': lambda: optim.learning_rate(self.optimizer)}

    def facts(self) -> Mapping[str, str]:
        """See the base class."""
        return {'signal': self._data.summary}

    def models(self) -> Mapping[str, tuple[Any, ...]]:
        """See the base class."""
        return {'model': (self.model, tf.TensorSpec([1, self._data.dimensions], tf.float32))}

    def pictures(self, step: int) -> Mapping[str, np.ndarray]:
        """Draws the fitted signal beside the true one, once the whole grid has been evaluated."""
        del step
        fitted = self._shown.outputs
        if len(fitted.get('value', ())) < math.prod(self._data.shape):
            return {}
        # Matplotlib costs a second to import, which a run that draws nothing need not pay.
        from garden.figures import fields

        truth = self._data.grid
        fitted = {name: fitted[name] for name in ('value', *_DERIVATIVES) if name in fitted}
        if self._loss.open_constant:
            fitted['value'] = fitted['value'] + (truth['value'] - fitted['value']).mean(axis=0)
        draw = {1: fields.sound, 2: fields.image, 3: fields.distance}[self._data.dimensions]
        return {'fit': draw(self._on_grid(fitted), self._on_grid(truth))}

    def _on_grid(self, table: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        return {
            name: rows.reshape(*self._data.shape, *rows.shape[1:]) for name, rows in table.items()
        }

    def signatures(self) -> Mapping[str, Callable[..., Any]]:
        """Exports coordinates [n, d] to values [n, c], and to their gradient [n, c, d] too."""
        points = tf.TensorSpec([None, self._data.dimensions], tf.float32, name='coordinates')

        @tf.function(input_signature=[points])
        def values(coordinates: tf.Tensor) -> Mapping[str, tf.Tensor]:
            return {'value': self.model(coordinates)}

        @tf.function(input_signature=[points])
        def gradient(coordinates: tf.Tensor) -> Mapping[str, tf.Tensor]:
            found = derivatives.gradient(self.model, coordinates)
            return dict(zip(('value', 'gradient'), found, strict=True))

        return {'serving_default': values, 'gradient': gradient}
