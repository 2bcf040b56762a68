"""What a classifier confuses, and which examples it gets wrong."""

from collections.abc import Mapping, Sequence

import numpy as np


class ConfusionMatrix:
    """Counts of (label, prediction) over a pass, and the mistakes made with most conviction.

    Args:
      classes: the number of classes.
      mistakes: how many misclassified images to keep.
    """

    metrics: Sequence[str] = ()

    def __init__(self, classes: int, mistakes: int = 25):
        self._classes = classes
        self._mistakes = mistakes
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets everything."""
        self.counts = np.zeros((self._classes, self._classes), np.int64)
        self.worst: list[tuple[float, int, int, np.ndarray]] = []

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes 'label' [n], 'prediction' [n], 'confidence' [n] and 'image' [n, h, w, 3]."""
        labels, predictions = outputs['label'], outputs['prediction']
        np.add.at(self.counts, (labels, predictions), 1)
        for i in np.flatnonzero(labels != predictions) if self._mistakes else ():
            confidence = float(outputs['confidence'][i])
            self.worst.append(
                (confidence, int(labels[i]), int(predictions[i]), outputs['image'][i])
            )
        self.worst.sort(key=lambda mistake: -mistake[0])
        del self.worst[self._mistakes :]

    def result(self) -> Mapping[str, float]:
        """Returns no metric of its own: the accuracies are means over examples."""
        return {}
