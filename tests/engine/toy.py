"""A small task, complete enough to try the engine on, and a phase of it."""

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.average import MovingAverage
from garden.core.feed import example_seed, shuffled
from garden.core.task import Task
from garden.engine.experiment import Phase


class Toy(Task):
    """Linear regression on 32 fixed points, with what a test asks for besides."""

    train_scalars = ('loss',)
    eval_scalars = ('error',)

    def __init__(
        self,
        batch_size=8,
        eval_batch=5,
        dropout=0.0,
        normalization=None,
        micro_batches=1,
        average_decay=None,
        optimizer=None,
        noise=False,
    ):
        super().__init__()
        self.batch_size, self.eval_batch, self.noise = batch_size, eval_batch, noise
        self.micro_batches = micro_batches
        generator = np.random.default_rng(0)
        self.x = generator.normal(size=(32, 4)).astype(np.float32)
        self.y = (self.x @ [1.0, -2.0, 0.5, 3.0]).astype(np.float32)[:, None]
        layers = [keras.layers.Dense(8, kernel_initializer=keras.initializers.GlorotUniform(1))]
        if normalization:
            layers.append(normalization())
        layers += [
            keras.layers.Dropout(dropout),
            keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(2)),
        ]
        self.model = keras.Sequential(layers)
        self.model.build([None, 4])
        optimizer = optimizer() if optimizer else keras.optimizers.SGD(0.01, momentum=0.9)
        self.optimizer = optim.prepare(optimizer, self.model.trainable_variables, self.model)
        self.average = MovingAverage(self.model.variables, average_decay) if average_decay else None

    def train_data(self, feed):
        x, y = tf.constant(self.x), tf.constant(self.y)

        def example(position):
            index = shuffled(position, 32, feed.seed)
            jitter = tf.random.stateless_normal([4], example_seed(position, feed.seed), stddev=0.01)
            return {'x': tf.gather(x, index) + jitter, 'y': tf.gather(y, index)}

        per_replica = feed.per_replica(self.batch_size)
        return feed.positions(self.batch_size).map(example).batch(per_replica, drop_remainder=True)

    def eval_data(self, feed):
        x, y = tf.constant(self.x[:13]), tf.constant(self.y[:13])
        size = self.eval_batch * feed.replicas

        def example(position):
            index = tf.minimum(position, 12)
            return {'x': tf.gather(x, index), 'y': tf.gather(y, index), 'mask': position < 13}

        return (
            feed.evaluation_positions(13, size)
            .map(example)
            .batch(feed.per_replica(size), drop_remainder=True)
        )

    def train_step(self, batch, seed):
        def loss_fn(part):
            predicted = tf.cast(self.model(part['x'], training=True), tf.float32)
            loss = tf.reduce_mean(tf.square(predicted - part['y']))
            return loss, {'loss': loss}

        if self.noise:
            batch = {
                **batch,
                'x': batch['x'] + 0.1 * tf.random.stateless_normal(batch['x'].shape, seed),
            }
        return optim.minimize(
            loss_fn, batch, self.optimizer, self.model.trainable_variables, self.micro_batches
        )

    def eval_step(self, batch, seed):
        del seed
        error = tf.abs(self.model(batch['x'], training=False) - batch['y'])[:, 0]
        return {'error': error}, {'error': error}

    def evaluators(self):
        return {'worst': Worst()}

    def averages(self):
        return () if self.average is None else (self.average,)


class Worst:
    """The largest error and the number of examples seen."""

    metrics = ('worst', 'count')

    def reset_state(self):
        self.errors = []

    def update_state(self, outputs):
        self.errors.append(outputs['error'])

    def result(self):
        errors = np.concatenate(self.errors)
        return {'worst': float(errors.max()), 'count': float(len(errors))}


def full(**changes):
    """A phase with everything that could break a resume: dropout, noise, statistics, averages."""

    def task():
        return Toy(
            dropout=0.3,
            noise=True,
            normalization=keras.layers.BatchNormalization,
            average_decay=0.9,
        )

    settings = {
        'train_steps': 60,
        'steps_per_loop': 7,
        'eval_interval': 20,
        'checkpoint_interval': 10,
        'best_metric': 'error',
        'best_mode': 'min',
    }
    return Phase(task=task, **(settings | changes))
