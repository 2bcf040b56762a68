"""Random codes that generators turn into samples: drawn, numbered, and walked between."""

import numpy as np
import scipy.stats
import tensorflow as tf

DISTRIBUTIONS = ('normal', 'uniform')


def draw(distribution: str, shape: list, seed: tf.Tensor) -> tf.Tensor:
    """Returns codes from N(0, 1) or from the uniform distribution on [-1, 1].

    Args:
      distribution: 'normal' or 'uniform'.
      shape: of the result, e.g. [n, size].
      seed: int32[2] or int64[2].
    """
    if distribution == 'uniform':
        return tf.random.stateless_uniform(shape, seed, -1.0, 1.0)
    return tf.random.stateless_normal(shape, seed)


def numbered(distribution: str, numbers: tf.Tensor, size: int) -> tf.Tensor:
    """Returns the codes [n, size] of samples with these numbers, int64 [n].

    A code is a function of its number alone, whatever others are asked for with it: evaluations
    and pictures see the same ones over a whole run, on any number of replicas.
    """

    def of_number(number: tf.Tensor) -> tf.Tensor:
        return draw(distribution, [size], tf.stack([tf.zeros_like(number), number]))

    spec = tf.TensorSpec([size], tf.float32)
    return tf.map_fn(of_number, tf.cast(numbers, tf.int64), fn_output_signature=spec)


def between(distribution: str, start: tf.Tensor, end: tf.Tensor, count: int) -> tf.Tensor:
    """Returns codes on the way from `start` to `end`, both included: [count, size].

    Codes from a normal distribution lie near a sphere, and the way follows it (slerp,
    arXiv:1609.04468); a straight line would pass where no code was ever drawn. Codes from a uniform
    one fill a cube, which is convex: there the way is straight.

    Args:
      distribution: 'normal' or 'uniform'.
      start: [size].
      end: [size], neither parallel nor opposite to it.
      count: 2 or more.
    """
    share = tf.linspace(0.0, 1.0, count)[:, None]
    if distribution == 'uniform':
        return (1 - share) * start + share * end
    cosine = tf.reduce_sum(tf.math.l2_normalize(start) * tf.math.l2_normalize(end))
    angle = tf.acos(tf.clip_by_value(cosine, -1.0, 1.0))
    mixed = tf.sin((1 - share) * angle) * start + tf.sin(share * angle) * end
    return mixed / tf.sin(angle)


def plane(side: int) -> np.ndarray:
    """Returns a grid of codes of two numbers that are equally far apart under a normal prior.

    Returns:
      float32 [side * side, 2], row by row; the first number grows to the right, the second upwards.
    """
    quantiles = scipy.stats.norm.ppf((np.arange(side) + 0.5) / side).astype(np.float32)
    up, right = np.meshgrid(-quantiles, quantiles, indexing='ij')
    return np.stack([right.ravel(), up.ravel()], axis=-1)
