"""A task of one's own in one file, launched: a small network learns a sine.

python examples/own_task.py
"""

import math
from collections.abc import Mapping

import tensorflow as tf
import tf_keras as keras

import garden
from garden.core import optim
from garden.core.feed import Feed, example_seed


@garden.register('tasks', 'sine')
class Sine(garden.Task):
    """Fits a network to a sine, between -pi and pi.

    Args:
      optimizer: trains the network.
      units: units of its hidden layer.
    """

    eval_scalars = ('error',)

    def __init__(self, optimizer: keras.optimizers.Optimizer, units: int = 32):
        super().__init__()
        layers = [keras.layers.Dense(units, 'tanh'), keras.layers.Dense(1)]
        self.model = keras.Sequential([keras.Input([1]), *layers])
        self.optimizer = optim.prepare(optimizer, self.model.trainable_variables)

    def train_data(self, feed: Feed) -> tf.data.Dataset:
        """Yields points: each is a function of the seed and of its position in the run."""

        def point(position: tf.Tensor) -> tf.Tensor:
            seed = example_seed(position, feed.seed)
            return tf.random.stateless_uniform([1], seed, -math.pi, math.pi)

        points = feed.positions(64).map(point)
        return points.batch(feed.per_replica(64), drop_remainder=True)

    def train_step(self, batch: tf.Tensor, seed: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Takes one step on the mean squared error."""

        def loss_of(x: tf.Tensor) -> tuple[tf.Tensor, Mapping[str, tf.Tensor]]:
            loss = tf.reduce_mean((self.model(x) - tf.sin(x)) ** 2)
            return loss, {'loss': loss}

        return optim.minimize(loss_of, batch, self.optimizer, self.model.trainable_variables)

    def eval_step(self, batch: tf.Tensor, seed: tf.Tensor) -> tuple[Mapping, Mapping]:
        """Measures the largest error on a grid; no data are needed."""
        x = tf.linspace(-math.pi, math.pi, 101)[:, None]
        return {'error': tf.reduce_max(abs(self.model(x) - tf.sin(x)))[None]}, {}


if __name__ == '__main__':
    settings = [
        'garden.phase.task = @tasks.sine',
        'tasks.sine.optimizer = @optimizers.adam()',
        'optimizers.adam.learning_rate = @schedules.cosine()',
        'schedules.cosine.base = 0.02',
        'schedules.cosine.steps = %train_steps',
        'train_steps = 1000',
    ]
    launched = garden.launch('base/defaults.gin', settings, model_dir='runs/sine')
    print(f'largest error {launched.metrics["error"]:.3f}; all of it lies in {launched.path}')
