"""Translation without pairs: which networks a step changes, what it exports and draws."""

import functools

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.images import Images
from garden.dataloaders.unpaired import Unpaired
from garden.engine.trainer import Trainer
from garden.losses.gan import LeastSquares
from garden.losses.translation import Translation
from garden.models.cyclegan import CycleGANGenerator, PatchGAN
from garden.models.discogan import DiscoGANDiscriminator, DiscoGANGenerator
from garden.optimizers.sgd import SGD
from garden.sources.memory import Arrays
from garden.tasks.unpaired_translation import UnpairedTranslation

NETWORKS = ('a_to_b', 'b_to_a', 'discriminator_a', 'discriminator_b')
GENERATOR = functools.partial(CycleGANGenerator, blocks=1, filters=4, halvings=1)
LOSS = functools.partial(Translation, LeastSquares())
PATCHES = functools.partial(PatchGAN, filters=4, layers=1)


def pairs(training, channels=(1, 3), labels=False):
    random = np.random.default_rng(0)

    def domain(channels):
        source = Arrays(
            {'image': random.integers(0, 256, [12, 16, 16, 3], np.uint8), 'label': np.arange(12)}
        )
        return Images(source, 4, training, 16, channels=channels, low=-1.0, labels=labels)

    return Unpaired(*map(domain, channels))


def task(channels=(1, 3), loss=None, **settings):
    a, b = channels
    keras.utils.set_random_seed(0)
    given = {
        'a_to_b': GENERATOR(a, b),
        'b_to_a': GENERATOR(b, a),
        'discriminator_a': PATCHES(a),
        'discriminator_b': PATCHES(b),
        'generator_optimizer': SGD(0.001),
        'discriminator_optimizer': SGD(0.001),
        'train_data': pairs(True, channels),
        'eval_data': pairs(False, channels, labels=True),
        'loss': loss or LOSS(),
    }
    return UnpairedTranslation(**(given | settings))


def weights(task):
    return {
        name: np.concatenate([v.numpy().ravel() for v in getattr(task, name).variables])
        for name in NETWORKS
    }


def set_up(strategy, **settings):
    with strategy.scope():
        made = task(**settings)
    trainer = Trainer(made, strategy, seed=0)
    trainer.open_training_data()
    return made, trainer


def first_batches(count, channels=(1, 3)):
    return list(pairs(True, channels)(Feed()).take(count))


def changed(before, after):
    return {name for name in NETWORKS if not np.array_equal(before[name], after[name])}


def test_a_step_updates_all_four_networks():
    made = task()
    before = weights(made)
    scalars = made.train_step(*first_batches(1), tf.constant([0, 0]))
    assert changed(before, weights(made)) == {*NETWORKS}
    parts = scalars['adversarial'] + 10 * scalars['cycle']
    np.testing.assert_allclose(scalars['generator_loss'], parts, rtol=1e-5)


def test_with_an_interval_a_step_updates_either_side(one_device):
    made, trainer = set_up(one_device, discriminator_interval=3)
    before = weights(made)
    counts = []
    for steps in (1, 1, 1, 4):
        trainer.train(tf.constant(steps))
        optimizers = (made.discriminator_optimizer, made.generator_optimizer)
        counts.append([int(optimizer.iterations) for optimizer in optimizers])
        if len(counts) == 1:
            assert changed(before, weights(made)) == {*NETWORKS[2:]}
    assert counts == [[1, 0], [1, 1], [1, 2], [3, 4]]


def test_generators_are_updated_against_frozen_discriminators():
    made = task()
    before = weights(made)
    made.generator_step(*first_batches(1), tf.constant([0, 0]))
    assert changed(before, weights(made)) == {*NETWORKS[:2]}


def test_two_replicas_take_the_steps_of_one(one_device, two_replicas):
    """Without a pool, of which each replica has its own."""
    (one, trainer), (two, other) = set_up(one_device), set_up(two_replicas)
    for name in NETWORKS:
        getattr(two, name).set_weights(getattr(one, name).get_weights())
    trainer.train(tf.constant(3))
    other.train(tf.constant(3))
    for name, values in weights(one).items():
        np.testing.assert_allclose(weights(two)[name], values, atol=1e-6)


def test_discriminators_see_what_the_pool_lends_them():
    losses = []
    for pool in (0, 4):
        made = task(pool=pool)
        for i, batch in enumerate(first_batches(3)):
            scalars = made.train_step(batch, tf.constant([i, 0]))
        losses.append(float(scalars['discriminator_loss']))
    assert int(made.pool_a.filled) == int(made.pool_b.filled) == 4
    assert losses[0] != losses[1]


def test_both_ways_are_exported(tmp_path):
    made = task()
    tf.saved_model.save(made, str(tmp_path), made.signatures())
    loaded = tf.saved_model.load(str(tmp_path)).signatures
    for name, channels in (('a_to_b', 1), ('b_to_a', 3)):
        for count in (1, 3):
            images = tf.random.stateless_uniform([count, 16, 16, channels], [1, 2], -1.0, 1.0)
            network = getattr(made, name)
            found = loaded[name](image=images)['image']
            np.testing.assert_allclose(found, network(images), atol=1e-6)
    loader = pairs(False).b
    pixels = np.random.default_rng(1).integers(0, 256, [2, 20, 30, 3], np.uint8)
    files = tf.stack([tf.io.encode_png(one) for one in pixels])
    images = np.stack([loader.read(one) for one in files])
    expected = pairs(False).a.denormalize(made.b_to_a(images))
    found = loaded['b_to_a_picture'](picture=files)['picture'].numpy()
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found.astype(int), expected, atol=1)  # Of 255 levels.


def test_a_translator_is_checked_on_images_of_its_own_domain():
    made = task()
    for name, channels in (('a_to_b', 1), ('b_to_a', 3)):
        batches = list(made.signature_data(name, Feed()))
        assert sum(int(batch['mask'].numpy().sum()) for batch in batches) == 12
        assert batches[0]['image'].shape == [4, 16, 16, channels]


def test_evaluation_measures_both_cycles_and_draws_what_comes_back(one_device):
    made, trainer = set_up(one_device, shown=5)
    trainer.open_evaluation_data()
    metrics = trainer.evaluate(tf.constant(-1))
    images = np.concatenate([b['a']['image'].numpy() for b in pairs(False)(Feed())])
    back = made.b_to_a(made.a_to_b(images))
    np.testing.assert_allclose(metrics['cycle_l1_a'], np.abs(back - images).mean(), rtol=1e-4)
    pictures = made.pictures(1)
    assert {*pictures} == {'a_to_b', 'b_to_a'}
    assert all(p.dtype == np.uint8 and p.ndim == 3 for p in pictures.values())


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'discriminator_interval': lambda: 1}, 'leaves no step for the generators'),
        ({'a_to_b': lambda: GENERATOR(3, 3)}, 'a_to_b does not take images of 16 x 16 x 1'),
        (
            {'a_to_b': lambda: GENERATOR(1, 1)},
            r'makes 16 x 16 x 1 of .*other domain are 16 x 16 x 3',
        ),
        (
            {'discriminator_b': lambda: PATCHES(1)},
            'discriminator_b does not take images of 16 x 16 x 3',
        ),
        ({'loss': lambda: LOSS(identity_weight=5.0)}, 'for domains of one shape'),
        ({'loss': lambda: LOSS(feature_weight=1.0)}, 'hand out what they see'),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(UserError, match=message):
        task(**{name: make() for name, make in settings.items()})


def test_features_and_identity_are_learned_from():
    generators = (DiscoGANGenerator(widths=(4, 6), output='tanh') for _ in range(2))
    judges = (DiscoGANDiscriminator(widths=(4, 6)) for _ in range(2))
    loss = LOSS(identity_weight=5.0, feature_weight=0.9)
    networks = dict(zip(NETWORKS, (*generators, *judges), strict=True))
    made = task((3, 3), loss, **networks)
    before = weights(made)
    scalars = made.train_step(*first_batches(1, (3, 3)), tf.constant([0, 0]))
    assert changed(before, weights(made)) == {*NETWORKS}
    assert {*scalars} == {*made.train_scalars}
    assert all(np.isfinite(value) for value in scalars.values())
