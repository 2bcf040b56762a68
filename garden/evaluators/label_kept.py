"""Whether translated pictures still show what they showed."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import tensorflow as tf

from garden.core.registry import register


class Classifier(Protocol):
    """A network that looks at pictures."""

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns features [n, d] and class probabilities [n, classes] of uint8 [n, h, w, c]."""


@register('evaluators', 'label_kept')
class LabelKept:
    """The share of generated images that a classifier reads as the label of what they came from.

    Args:
      classifier: the network, e.g. `evaluators.digit_features`.
      images: the output of the task that holds the images, e.g. 'a_to_b'.
      labels: the output that holds the labels, e.g. 'a_label'.
      size: the side of the pictures that the classifier has learned from: larger ones are made as
        small, each pixel the mean of those in its place; None to leave that to the classifier.
      low: the value of black in the images.
      high: the value of white.
      any_colours: whether the classifier, which knows white on black only, is shown the pictures in
        `contrast`.

    Attributes:
      metrics: 'label_kept_<images>'.
    """

    def __init__(
        self,
        classifier: Classifier,
        images: str,
        labels: str,
        size: int | None = None,
        low: float = -1.0,
        high: float = 1.0,
        any_colours: bool = False,
    ):
        self._classifier = classifier
        self._images, self._labels = images, labels
        self._size = size
        self._low, self._high = low, high
        self._any_colours = any_colours
        self.metrics = (f'label_kept_{images}',)
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets the pass before."""
        self._kept: list[np.ndarray] = []

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes images [n, h, w, 1 or 3] and their labels [n]."""
        images = (outputs[self._images] - self._low) / (self._high - self._low)
        if self._any_colours:
            images = contrast(images)
        if self._size is not None:
            images = tf.image.resize(images, [self._size] * 2, method='area').numpy()
        levels = np.clip(np.round(images * 255), 0, 255).astype(np.uint8)
        _, probabilities = self._classifier(levels)
        self._kept.append(probabilities.argmax(axis=1) == outputs[self._labels])

    def result(self) -> Mapping[str, float]:
        """Returns the share."""
        return {self.metrics[0]: float(np.mean(np.concatenate(self._kept)))}


def contrast(images: np.ndarray) -> np.ndarray:
    """Returns how far each pixel's colour is from its ground, the farthest of an image being 1.

    The ground is the median colour of the outermost rows and columns.

    Args:
      images: [n, h, w, c], values 0 to 1.

    Returns:
      [n, h, w, 1], values 0 to 1.
    """
    edges = (images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1])
    ground = np.median(np.concatenate(edges, axis=1), axis=1)
    distance = np.linalg.norm(images - ground[:, None, None], axis=-1, keepdims=True)
    return distance / np.maximum(distance.max(axis=(1, 2, 3), keepdims=True), 1e-6)
