"""Fitting a field: what is trained, evaluated, drawn and exported."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden import registry
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.audio import Audio
from garden.dataloaders.oriented_points import OrientedPoints
from garden.dataloaders.single_image import SingleImage
from garden.evaluators.distance import Distance
from garden.evaluators.psnr import PSNR
from garden.losses.fields import MatchGradients, MatchLaplacian, MatchValues, SignedDistance
from garden.models.siren import Siren as Network
from garden.ops import derivatives
from garden.sources.melody import Melody
from garden.sources.shapes import Torus
from garden.sources.signals import Photograph
from garden.tasks.siren import Siren

SEED = tf.constant([1, 2])


def task(data, loss=None, evaluator=None, model=None, learning_rate=1e-3):
    keras.utils.set_random_seed(0)
    model = model or Network(data.channels, width=32, hidden_layers=1)
    optimizer = registry.get('optimizers', 'adam')(learning_rate, epsilon=1e-8)
    return Siren(model, optimizer, data, loss or MatchValues(), evaluator or PSNR())


def image(**settings):
    return SingleImage(Photograph(), 16, **settings)


SYSTEMS = {
    'values': lambda: task(image(channels=3)),
    'inpainting': lambda: task(image(known=0.5), MatchValues('total_variation'), PSNR(unseen=True)),
    'gradients': lambda: task(image(), MatchGradients(), PSNR('mean', derivatives=True)),
    'laplacian': lambda: task(image(), MatchLaplacian(), PSNR('harmonic')),
    'sound': lambda: task(Audio(Melody(0.02, 8000))),
    'distance': lambda: task(
        OrientedPoints(Torus(200), 50, grid_size=8), SignedDistance(), Distance()
    ),
}


@pytest.fixture(params=SYSTEMS)
def system(request):
    return SYSTEMS[request.param]()


def trained(system, steps):
    step = tf.function(system.train_step)
    batches = system.train_data(Feed()).take(steps)
    return [{name: float(t) for name, t in step(batch, SEED).items()} for batch in batches]


def evaluated(system):
    evaluators = system.evaluators().values()
    for evaluator in evaluators:
        evaluator.reset_state()
    step = tf.function(system.eval_step)
    for batch in system.eval_data(Feed()):
        _, outputs = step(batch, SEED)
        mask = batch['mask'].numpy()
        for evaluator in evaluators:
            evaluator.update_state({name: t.numpy()[mask] for name, t in outputs.items()})
    return {name: value for e in evaluators for name, value in e.result().items()}


def test_training_makes_the_loss_smaller_and_tells_its_terms(system):
    scalars = trained(system, 60)
    assert set(scalars[0]) == set(system.train_scalars)
    terms = [sum(one.values()) - one['loss'] for one in scalars if len(one) > 1]
    np.testing.assert_allclose(terms, [one['loss'] for one in scalars][: len(terms)], rtol=1e-5)
    assert scalars[-1]['loss'] < 0.8 * scalars[0]['loss']


def test_it_is_evaluated_and_drawn(system):
    metrics = evaluated(system)
    assert metrics
    assert all(np.isfinite(value) for value in metrics.values())
    (picture,) = system.pictures(0).values()
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.std() > 10


def test_a_picture_waits_for_the_whole_grid():
    system = task(image())
    assert not system.pictures(0)
    evaluated(system)
    system.evaluators()['shown'].reset_state()
    assert not system.pictures(0)


class Truth(keras.Model):
    """The field sin(2x) cos(3y) plus a constant that is trained."""

    def __init__(self):
        super().__init__()
        self.constant = self.add_weight('constant', [], initializer='ones')

    def call(self, points):
        x, y = points[:, :1], points[:, 1:]
        return tf.sin(2 * x) * tf.cos(3 * y) + self.constant


def test_the_evaluated_derivatives_are_those_of_the_network():
    system = task(image(), model=Truth())
    batch = next(iter(system.eval_data(Feed())))
    _, outputs = system.eval_step(batch, SEED)
    x, y = batch['coordinates'].numpy().T
    gradient = [2 * np.cos(2 * x) * np.cos(3 * y), -3 * np.sin(2 * x) * np.sin(3 * y)]
    np.testing.assert_allclose(outputs['gradient'][:, 0], np.transpose(gradient), atol=1e-5)
    laplacian = -13 * np.sin(2 * x) * np.cos(3 * y)
    np.testing.assert_allclose(outputs['laplacian'][:, 0], laplacian, atol=1e-4)
    np.testing.assert_array_equal(outputs['true_laplacian'], batch['laplacian'])


def test_it_is_exported_with_its_gradient(tmp_path):
    system = task(image(channels=3))
    module = tf.Module()
    module.model = system.model
    tf.saved_model.save(module, str(tmp_path), system.signatures())
    exported = tf.saved_model.load(str(tmp_path)).signatures
    for count in (1, 7):
        points = tf.random.stateless_uniform([count, 2], SEED)
        values, gradient = derivatives.gradient(system.model, points)
        only = exported['serving_default'](coordinates=points)
        both = exported['gradient'](coordinates=points)
        np.testing.assert_allclose(only['value'], values, atol=1e-6)
        np.testing.assert_allclose(both['value'], values, atol=1e-6)
        np.testing.assert_allclose(both['gradient'], gradient, atol=1e-5)


def test_two_replicas_learn_what_one_device_does(one_device, two_replicas):
    """All pixels are a batch, whoever looks at them."""

    def weights(strategy):
        with strategy.scope():
            system = task(image())

        @tf.function
        def step(batch):
            strategy.run(system.train_step, args=(batch, SEED))

        replicas = strategy.num_replicas_in_sync
        data = strategy.distribute_datasets_from_function(
            lambda _: system.train_data(Feed(replicas=replicas))
        )
        for batch, _ in zip(data, range(10), strict=False):
            step(batch)
        return [variable.numpy() for variable in system.model.variables]

    for one, two in zip(weights(one_device), weights(two_replicas), strict=True):
        np.testing.assert_allclose(one, two, atol=2e-5)


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (
            lambda: task(image(channels=3), model=Network(1)),
            "1 values .* 3: make the model's outputs",
        ),
        (
            lambda: task(Audio(Melody(0.02, 8000)), MatchGradients()).train_data(Feed()),
            'needs gradient of each point',
        ),
    ],
)
def test_parts_that_do_not_fit_are_named(make, message):
    with pytest.raises(UserError, match=message):
        make()


@pytest.mark.slow
def test_sines_fit_a_photograph_where_a_relu_network_does_not():
    """Of the same size, in as many steps (figure 1 of the paper)."""

    def psnr(model):
        system = task(SingleImage(Photograph(), 64), model=model, learning_rate=1e-4)
        trained(system, 200)
        return evaluated(system)['psnr']

    relu = [keras.layers.Dense(256, 'relu') for _ in range(4)]
    perceptron = keras.Sequential([*relu, keras.layers.Dense(1)])
    assert psnr(perceptron) < 20
    assert psnr(Network()) > 30
