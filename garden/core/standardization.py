"""Data brought to mean 0 and variance 1, feature by feature."""

from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf


class Standardization(tf.Module):
    """Subtracts means and divides by standard deviations that it has learnt from data.

    Both are variables: they are saved, restored and exported with what owns them. Before `fit` the
    values stay as they are. A feature that is constant in the data is divided by 1; one that is
    nearly so gets very large values where it does differ.

    Args:
      shape: of one example.
    """

    def __init__(self, shape: Sequence[int]):
        super().__init__()
        self.mean = tf.Variable(tf.zeros(shape), trainable=False, name='mean')
        self.scale = tf.Variable(tf.ones(shape), trainable=False, name='scale')

    def fit(self, batches: Iterable[np.ndarray]) -> None:
        """Learns from examples [n, *shape], of any n; they need not fit into memory together."""
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler()
        for batch in batches:
            scaler.partial_fit(np.asarray(batch, np.float64).reshape(len(batch), -1))
        self.mean.assign(scaler.mean_.reshape(self.mean.shape))
        self.scale.assign(scaler.scale_.reshape(self.scale.shape))

    def __call__(self, values: tf.Tensor) -> tf.Tensor:
        """Returns standardised values."""
        return (values - self.mean) / self.scale

    def inverse(self, values: tf.Tensor) -> tf.Tensor:
        """Returns what `values` were before they were standardised."""
        return values * self.scale + self.mean
