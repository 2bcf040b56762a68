"""The losses of translators, against sums written out."""

import numpy as np
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.losses.gan import LeastSquares
from garden.losses.translation import Translation, feature_matching, l1, l2

A = np.random.default_rng(0).standard_normal((3, 4, 4, 2)).astype(np.float32)
B = np.random.default_rng(1).standard_normal((3, 4, 4, 2)).astype(np.float32)


def there(images, training):
    return 2 * images + 1


def back(images, training):
    return 0.5 * images


def judge(images, training):
    return tf.reduce_mean(images, axis=-1)


class Seeing:
    def __call__(self, images, training):
        return judge(images, training)

    def seen(self, images, training):
        return judge(images, training), [images, images[:, :1] ** 2]


def test_distances_are_means_over_an_image():
    np.testing.assert_allclose(l1(A, B), np.abs(A - B).mean(axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(
        l2(tf.constant(A), B), ((A - B) ** 2).mean(axis=(1, 2, 3)), rtol=1e-5
    )


def test_feature_matching_compares_the_means_of_batches():
    wanted = sum(
        ((one.mean(axis=0) - other.mean(axis=0)) ** 2).mean()
        for one, other in ((A, B), (A[:, :2], B[:, :2]))
    )
    found = feature_matching([tf.constant(A), tf.constant(A[:, :2])], [B, B[:, :2]])
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


@pytest.mark.parametrize('distance', ['l1', 'l2'])
def test_each_part_is_what_the_paper_says(distance):
    loss = Translation(LeastSquares(), 1.0, 10.0, distance, 5.0, 0.9)
    assert loss.parts == ('adversarial', 'features', 'cycle', 'identity')
    fake, parts = loss.one_way(tf.constant(A), tf.constant(B), there, back, Seeing())
    np.testing.assert_allclose(fake, 2 * A + 1, rtol=1e-6)
    away = 0.5 * (2 * A + 1) - A  # Half everywhere.
    wanted = {
        'adversarial': ((fake.numpy().mean(axis=-1) - 1) ** 2).mean(),
        'cycle': np.abs(away).mean() if distance == 'l1' else (away**2).mean(),
        'identity': np.abs(2 * B + 1 - B).mean(),
    }
    for name, value in wanted.items():
        np.testing.assert_allclose(parts[name], value, rtol=1e-5)
    total = loss.total(parts, tf.constant(0))
    weights = {'adversarial': 1.0, 'cycle': 10.0, 'identity': 5.0, 'features': 0.9}
    np.testing.assert_allclose(total, sum(w * parts[n] for n, w in weights.items()), rtol=1e-5)


def test_a_discriminator_has_half_of_the_loss():
    found = Translation(LeastSquares()).discriminator(judge, tf.constant(A), tf.constant(B))
    real, fake = A.mean(axis=-1), B.mean(axis=-1)
    np.testing.assert_allclose(found, 0.5 * (((real - 1) ** 2).mean() + (fake**2).mean()), 1e-5)


def test_a_weight_may_change_with_the_updates():
    loss = Translation(LeastSquares(), cycle_weight=lambda n: tf.where(n < 10, 0.01, 0.5))
    parts = {'adversarial': tf.constant(3.0), 'cycle': tf.constant(2.0)}
    totals = [float(loss.total(parts, tf.constant(n))) for n in (9, 10)]
    np.testing.assert_allclose(totals, [3.02, 4.0], rtol=1e-6)


def test_what_has_no_weight_is_not_computed():
    loss = Translation(LeastSquares())
    assert loss.parts == ('adversarial', 'cycle')
    _, parts = loss.one_way(tf.constant(A), tf.constant(B), there, back, judge)
    assert {*parts} == {'adversarial', 'cycle'}


def test_an_unknown_distance_is_refused():
    with pytest.raises(UserError, match="'l3' is not"):
        Translation(LeastSquares(), cycle_distance='l3')
