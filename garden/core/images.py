"""What tasks and evaluators need to know of a data loader of images."""

from typing import Protocol

import numpy as np
import tensorflow as tf

from garden.core.feed import Feed


class Images(Protocol):
    """Batches of {'image': float32 [b, h, w, c]}; in evaluation also 'mask', bool [b]."""

    summary: str

    def __call__(self, feed: Feed) -> tf.data.Dataset:
        """Returns the batches of one replica."""

    def denormalize(self, images: np.ndarray) -> np.ndarray:
        """Returns images as they look, uint8."""

    def looks(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images as they look, uint8, in graph code."""


class SizedImages(Images, Protocol):
    """Images of one size, image_size x image_size, perhaps with 'label': int32 [b]."""

    image_size: int
    channels: int

    def read(self, stored: tf.Tensor) -> tf.Tensor:
        """Returns what an evaluation makes of one picture, given its bytes or pixels."""
