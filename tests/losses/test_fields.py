"""Losses of fields: zero where they are to be, and what they count."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.losses.fields import MatchGradients, MatchLaplacian, MatchValues, SignedDistance

SEED = tf.constant([1, 2])
RANDOM = np.random.default_rng(0)
POINTS = tf.constant(RANDOM.uniform(-1, 1, (50, 2)))


def waves(points):
    """The image sin(2x) cos(3y)."""
    x, y = points[:, :1], points[:, 1:]
    return tf.sin(2 * x) * tf.cos(3 * y)


def true_derivatives():
    x, y = POINTS[:, :1], POINTS[:, 1:]
    slopes = [2 * tf.cos(2 * x) * tf.cos(3 * y), -3 * tf.sin(2 * x) * tf.sin(3 * y)]
    return tf.stack(slopes, axis=-1), -13 * waves(POINTS)


def test_the_true_image_has_no_loss_by_its_derivatives_and_a_constant_does_not_count():
    gradient, laplacian = true_derivatives()
    batch = {'coordinates': POINTS, 'gradient': gradient, 'laplacian': laplacian}
    for loss in (MatchGradients(), MatchLaplacian()):
        for field in (waves, lambda points: waves(points) + 0.7):
            (term,) = loss(field, batch, SEED).values()
            assert float(term) < 1e-24
        assert loss.open_constant


def test_wrong_derivatives_are_counted_by_their_squared_length():
    gradient, laplacian = true_derivatives()
    wrong = tf.constant([0.3, -0.4], tf.float64)
    batch = {'coordinates': POINTS, 'gradient': gradient + wrong, 'laplacian': laplacian - 2}
    assert float(MatchGradients()(waves, batch, SEED)['gradients']) == pytest.approx(0.25)
    assert float(MatchLaplacian()(waves, batch, SEED)['laplacian']) == pytest.approx(4.0)


@pytest.mark.parametrize('loss', [MatchGradients(), MatchLaplacian()])
def test_the_last_bias_gets_the_gradient_zero_from_derivatives(loss):
    """Not None, which an optimizer would take for a variable that was left out."""
    bias = tf.Variable(0.5, dtype=tf.float64)
    gradient, laplacian = true_derivatives()
    batch = {'coordinates': POINTS, 'gradient': gradient, 'laplacian': laplacian}
    with tf.GradientTape() as tape:
        (term,) = loss(lambda points: waves(points) + bias, batch, SEED).values()
    assert float(tape.gradient(term, bias)) == 0


def test_only_known_values_count_and_the_mean_is_over_all_points():
    known = np.zeros([50, 1])
    known[:10] = 1
    noise = np.where(known, 0.5, RANDOM.normal(size=[50, 1]))
    batch = {'coordinates': POINTS, 'value': waves(POINTS) + noise, 'known': known}
    loss = MatchValues()(waves, batch, SEED)
    assert float(loss['values']) == pytest.approx(0.25 * 10 / 50)
    assert float(MatchValues()(waves, {**batch, 'known': np.ones([50, 1])}, SEED)['values']) > 0.25


def quadratic(points):
    """Its slopes, 4x and y, have the mean lengths 2 and 1/2 over the square."""
    x, y = points[:, :1], points[:, 1:]
    return 2 * x**2 + 0.5 * y**2


@pytest.mark.parametrize(
    ('prior', 'expected', 'tolerance'),
    [('total_variation', (2.0 + 0.5) / 2, 0.1), ('hessian', np.sqrt(4**2 + 1), 1e-5)],
)
def test_a_prior_is_evaluated_all_over_the_square(prior, expected, tolerance):
    points = tf.zeros([4000, 2])
    batch = {'coordinates': points, 'value': quadratic(points)}
    loss = MatchValues(prior, prior_weight=3.0)
    terms = loss(quadratic, batch, SEED)
    assert set(terms) == set(loss.terms)
    assert float(terms['values']) == 0
    assert float(terms['prior']) == pytest.approx(3 * expected, rel=tolerance)
    assert float(loss(quadratic, batch, tf.constant([3, 4]))['prior']) == pytest.approx(
        float(terms['prior']), rel=0.1
    )


def test_an_unknown_prior_is_named():
    with pytest.raises(UserError, match='total_variation'):
        MatchValues('total_variatoin')


def ball(points):
    return tf.norm(points, axis=-1, keepdims=True) - 0.5


def oriented():
    normal = RANDOM.normal(size=(200, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    elsewhere = RANDOM.uniform(-1, 1, (200, 3))
    tensors = {'surface': 0.5 * normal, 'normal': normal, 'elsewhere': elsewhere}
    return {name: tf.constant(value) for name, value in tensors.items()}


def test_the_distance_to_a_ball_has_no_loss_but_for_what_lies_near_it():
    batch = oriented()
    terms = SignedDistance()(ball, batch, SEED)
    near = 100 * np.exp(-100 * np.abs(ball(batch['elsewhere']))).mean()
    assert float(terms['elsewhere']) == pytest.approx(near)
    for name in ('surface', 'normal', 'eikonal'):
        assert float(terms[name]) < 1e-10, name


def test_each_term_of_a_signed_distance_sees_its_own_mistake():
    batch = oriented()

    def terms(field):
        return {name: float(term) for name, term in SignedDistance()(field, batch, SEED).items()}

    assert terms(lambda points: ball(points) + 0.1)['surface'] == pytest.approx(300)
    assert terms(lambda points: -ball(points))['normal'] == pytest.approx(200)
    assert terms(lambda points: 3 * ball(points))['eikonal'] == pytest.approx(100)
    assert terms(lambda points: 0 * ball(points))['elsewhere'] == pytest.approx(100)


def test_the_terms_can_be_weighted():
    loss = SignedDistance(surface=1.0, elsewhere=0.0, normal=0.0, eikonal=2.0)
    terms = loss(lambda points: 2 * ball(points) + 0.5, oriented(), SEED)
    assert {name: float(term) for name, term in terms.items()} == pytest.approx(
        {'surface': 0.5, 'elsewhere': 0.0, 'normal': 0.0, 'eikonal': 2.0}
    )


def test_losses_can_be_trained_on():
    """Third derivatives of a network, by its weights, in a tf.function."""
    model = keras.Sequential([keras.layers.Dense(8, 'tanh'), keras.layers.Dense(1)])
    points = tf.random.stateless_uniform([10, 2], SEED)
    model(points)
    batch = {'coordinates': points, 'laplacian': tf.ones([10, 1])}

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            loss = MatchLaplacian()(model, batch, SEED)['laplacian']
        return tape.gradient(loss, model.trainable_variables)

    assert all(np.isfinite(gradient).all() for gradient in gradients())
