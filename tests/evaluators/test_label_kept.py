"""The share of translated pictures that still read as what they came from."""

import numpy as np

from garden.evaluators.label_kept import LabelKept, contrast
from garden.evaluators.shown import Shown


class BrightestQuarter:
    """Reads a picture as the number of its brightest quarter, row by row."""

    def __call__(self, images):
        assert images.dtype == np.uint8
        n, side = len(images), images.shape[1] // 2
        quarters = images.mean(axis=-1).reshape(n, 2, side, 2, side).mean(axis=(2, 4))
        return quarters.reshape(n, 4), quarters.reshape(n, 4)


def quarter(number, bright=1.0, dark=-1.0, side=4):
    image = np.full([2, 2, 3], dark, np.float32)
    image.reshape(4, 3)[number] = bright
    return image.repeat(side // 2, axis=0).repeat(side // 2, axis=1)


def outputs(images, labels):
    return {'a_to_b': np.stack(images), 'a_label': np.array(labels)}


def test_it_is_the_share_over_all_batches():
    evaluator = LabelKept(BrightestQuarter(), 'a_to_b', 'a_label')
    evaluator.update_state(outputs([quarter(0), quarter(1), quarter(2)], [0, 1, 3]))
    evaluator.update_state(outputs([quarter(3)], [0]))
    assert evaluator.metrics == ('label_kept_a_to_b',)
    assert evaluator.result() == {'label_kept_a_to_b': 0.5}
    evaluator.reset_state()
    evaluator.update_state(outputs([quarter(3)], [3]))
    assert evaluator.result() == {'label_kept_a_to_b': 1.0}


def test_pictures_reach_the_classifier_in_its_size():
    seen = []

    def classifier(images):
        seen.append(images)
        return BrightestQuarter()(images)

    evaluator = LabelKept(classifier, 'a_to_b', 'a_label', size=2, low=0.0)
    speckled = quarter(2, 0.6, 0.0)
    speckled[2, 0] = 1.0
    evaluator.update_state(outputs([speckled], [2]))
    assert seen[0].shape == (1, 2, 2, 3)
    np.testing.assert_allclose(seen[0][0, 1, 0], 255 * (1.0 + 3 * 0.6) / 4, atol=1)


def test_contrast_shows_what_stands_out_whatever_its_colour():
    random = np.random.default_rng(0)
    shape = np.zeros([8, 8, 1])
    shape[2:5, 3:6, 0] = random.uniform(0.2, 1, [3, 3])
    shape[3, 4] = 1
    for _ in range(5):
        ground, ink = random.uniform(0, 1, [2, 3])
        painted = ground + (ink - ground) * shape
        np.testing.assert_allclose(contrast(painted[None])[0], shape, atol=1e-6)
    assert np.isfinite(contrast(np.ones([1, 8, 8, 3]))).all()


def test_examples_to_draw_are_the_first_of_a_pass():
    shown = Shown(3)
    for _ in range(2):
        shown.reset_state()
        for first in (0, 2, 4):
            shown.update_state({'a': np.arange(first, first + 2)})
        np.testing.assert_array_equal(shown.outputs['a'], [0, 1, 2])
    assert shown.result() == {}
