"""Digit scans as the evaluators' tests use them."""

import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


def scans():
    """Returns (training scans, test scans, their labels, test labels); scans are in 0 to 1."""
    data = load_digits()
    return train_test_split(
        data.images / 16, data.target, test_size=360, random_state=0, stratify=data.target
    )


class Loader:
    """Images as an evaluation's data loader gives them."""

    def __init__(self, images, batch_size=128):
        self.images = images[..., None].astype(np.float32)
        self.batch_size = batch_size
        self.passes = 0
        self.summary = f'{len(images)} images'

    def __call__(self, feed):
        del feed
        self.passes += 1
        padding = -len(self.images) % self.batch_size
        batches = {
            'image': np.pad(self.images, [(0, padding), (0, 0), (0, 0), (0, 0)]),
            'mask': np.arange(len(self.images) + padding) < len(self.images),
        }
        return tf.data.Dataset.from_tensor_slices(batches).batch(self.batch_size)

    def denormalize(self, images):
        return np.clip(np.round(images * 255), 0, 255).astype(np.uint8)
