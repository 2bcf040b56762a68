"""The confusion matrix against scikit-learn's."""

import numpy as np
import sklearn.metrics

from garden.evaluators.classification import ConfusionMatrix


def outputs(labels, predictions, confidence):
    return {
        'label': labels,
        'prediction': predictions,
        'confidence': confidence,
        'image': np.arange(len(labels)).reshape(-1, 1, 1, 1),
    }


def test_counts_are_those_of_the_whole_pass():
    generator = np.random.default_rng(0)
    labels, predictions = generator.integers(0, 5, (2, 300))
    matrix = ConfusionMatrix(5, mistakes=0)
    for part in np.split(np.arange(300), 3):
        matrix.update_state(outputs(labels[part], predictions[part], np.ones(100)))
    np.testing.assert_array_equal(
        matrix.counts, sklearn.metrics.confusion_matrix(labels, predictions)
    )
    matrix.reset_state()
    assert matrix.counts.sum() == 0


def test_the_surest_mistakes_are_kept():
    matrix = ConfusionMatrix(3, mistakes=2)
    labels, predictions = np.array([0, 1, 2, 0]), np.array([1, 1, 0, 2])
    matrix.update_state(outputs(labels, predictions, np.array([0.5, 0.99, 0.9, 0.7])))
    assert [(sure, label, said) for sure, label, said, _ in matrix.worst] == [
        (0.9, 2, 0),
        (0.7, 0, 2),
    ]
    assert [int(picture.squeeze()) for *_, picture in matrix.worst] == [2, 3]
