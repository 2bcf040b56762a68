"""Bad examples in a run: found, noted, left out within a budget, and bit for bit the same again."""

import dataclasses
import json
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.task import Task
from garden.dataloaders.base import Dataloader
from garden.engine.experiment import Phase
from garden.engine.skipping import Skipper
from garden.engine.trainer import Trainer
from garden.sources.memory import Arrays

SIZE = 64


class Points(Dataloader):
    """Points and their targets; one whose target is not a number is an error."""

    raw_spec: ClassVar = {'x': tf.TensorSpec([4], tf.float32), 'y': tf.TensorSpec([], tf.float32)}

    def parse(self, example, seed):
        fine = tf.math.is_finite(example['y'])
        check = tf.raw_ops.Assert(condition=fine, data=['its target is not a number'])
        with tf.control_dependencies([check]):
            noise = 0.01 * tf.random.stateless_normal([4], seed)
        return {'x': example['x'] + noise, 'y': example['y']}


def points(bad=()):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(SIZE, 4)).astype(np.float32)
    y = (x @ [1.0, -2.0, 0.5, 3.0]).astype(np.float32)
    y[list(bad)] = np.nan
    return Arrays({'x': x, 'y': y})


class Fit(Task):
    """Linear regression with batch statistics of each replica's own, dropout and momentum."""

    train_scalars = ('loss',)
    eval_scalars = ('error',)

    def __init__(self, train=None, evaluation=None):
        super().__init__()
        self.train, self.evaluation = train, evaluation or Points(points(), 8, False)
        self.model = keras.Sequential(
            [
                keras.layers.Dense(8, kernel_initializer=keras.initializers.GlorotUniform(1)),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.1),
                keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(2)),
            ]
        )
        self.model.build([None, 4])
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        self.optimizer = optim.prepare(optimizer, self.model.trainable_variables, self.model)

    def train_data(self, feed):
        return self.train(feed)

    def eval_data(self, feed):
        return self.evaluation(feed)

    def train_step(self, batch, seed):
        del seed

        def loss_fn(part):
            loss = tf.reduce_mean(tf.square(self.model(part['x'], training=True)[:, 0] - part['y']))
            return loss, {'loss': loss}

        return optim.minimize(loss_fn, batch, self.optimizer, self.model.trainable_variables)

    def eval_step(self, batch, seed):
        del seed
        return {'error': tf.abs(self.model(batch['x'], training=False)[:, 0] - batch['y'])}, {}


def trained(strategy, bad, steps=12, known=(), loops=1, **loader):
    """Returns a trainer after some steps, and what it skipped."""
    with strategy.scope():
        task = Fit(Points(points(bad), 8, True, **loader))
        trainer = Trainer(task, strategy, 0, skipper=Skipper(known))
    skipped = []
    trainer.skipper.tell = skipped.extend
    trainer.open_training_data()
    for _ in range(loops):
        trainer.scalars = trainer.train(tf.constant(steps // loops))
    return trainer, skipped


def state(trainer):
    """Every number that the trainer would save, each replica's own."""
    strategy = trainer.strategy
    return [
        part.numpy()
        for variable in (*trainer.task.model.variables, *trainer.task.optimizer.variables)
        for part in strategy.experimental_local_results(variable)
    ]


def assert_same(one, other):
    for a, b in zip(state(one), state(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.global_step == other.global_step
    np.testing.assert_array_equal(one.scalars['loss'], other.scalars['loss'])


def strategies(request, name):
    return request.getfixturevalue(name)


@pytest.mark.parametrize('name', ['one_device', 'two_replicas'])
@pytest.mark.parametrize('bad', [[44], [41], [13, 24, 33, 60]])
def test_a_bad_example_met_leaves_no_trace(request, name, bad):
    """As if it had been known from the beginning: no half step, no statistics of one replica."""
    strategy = request.getfixturevalue(name)
    met, skipped = trained(strategy, bad)
    assert sorted(one.index for one in skipped) == bad
    assert 0 < min(one.step for one in skipped) <= max(one.step for one in skipped) < 8
    known = [dataclasses.replace(one, step=0) for one in skipped]
    expected, nothing = trained(strategy, bad, known=known)
    assert nothing == []
    assert_same(met, expected)
    assert met.global_step == 12
    in_parts, _ = trained(strategy, bad, loops=3)
    for a, b in zip(state(met), state(in_parts), strict=True):
        np.testing.assert_array_equal(a, b)
