"""Stochastic depth (Huang et al., arXiv:1603.09382), image by image."""

import tensorflow as tf
import tf_keras as keras


class StochasticDepth(keras.__internal__.layers.BaseRandomLayer):
    """Drops a residual branch for some of the images of a batch, in training.

    What is kept is divided by the probability of being kept, so that the mean stays.

    Args:
      rate: the probability of being dropped, in [0, 1).
      name: name of the layer.
    """

    def __init__(self, rate: float, name: str | None = None):
        super().__init__(name=name)
        self.rate = rate

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns `inputs`, [batch, ...]; some zero and the others larger if `training`."""
        if not training or not self.rate:
            return inputs
        shape = [tf.shape(inputs)[0]] + [1] * (inputs.shape.rank - 1)
        draws = self._random_generator.random_uniform(shape, dtype=tf.float32)
        kept = tf.cast(draws >= self.rate, inputs.dtype)
        return inputs * kept / tf.cast(1 - self.rate, inputs.dtype)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {'rate': self.rate, 'name': self.name}
