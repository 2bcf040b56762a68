"""The adversarial game: whose turn it is, what it sees, what comes of it."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from sklearn.datasets import load_digits

from garden import registry
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.images import Images
from garden.engine.trainer import Trainer
from garden.evaluators.digit_features import DigitFeatures
from garden.evaluators.distances import frechet_distance
from garden.evaluators.sample_quality import SampleQuality
from garden.losses.gan import Hinge, NonSaturating, Wasserstein
from garden.models.dcgan import DCGANDiscriminator, DCGANGenerator
from garden.models.mlp_gan import MLPDiscriminator, MLPGenerator
from garden.sources.synthetic import Synthetic
from garden.tasks.gan import GAN

SEED = tf.constant([1, 2])
PIXELS = np.random.default_rng(0).uniform(-1, 1, [8, 8, 8, 1]).astype(np.float32)


def loader(labels=False, training=True, size=32):
    source = Synthetic(size, classes=3)
    return Images(source, 8, training, 8, 1, low=-1.0, labels=labels)


def networks(convolutional=True, classes=None):
    if convolutional:
        generator = DCGANGenerator(8, 1, 16, (8, 4), 4, bias=True, num_classes=classes)
        return generator, DCGANDiscriminator((4, 8), 4, bias=True, num_classes=classes)
    return MLPGenerator(8, 1, 16, (8,), num_classes=classes), MLPDiscriminator(
        (8,), num_classes=classes
    )


def sgd(rate=0.05):
    return registry.get('optimizers', 'sgd')(rate)


def task(kind=GAN, convolutional=True, classes=None, judged=False, **settings):
    keras.utils.set_random_seed(3)
    generator, discriminator = networks(convolutional, classes)
    if judged:
        settings['quality'] = SampleQuality(
            DigitFeatures(), loader(training=False), labelled=classes is not None
        )
    return kind(generator, discriminator, sgd(), sgd(), loader(classes is not None), **settings)


def batch(classes=None):
    images = {'image': tf.constant(PIXELS)}
    return images if classes is None else {**images, 'label': tf.range(8) % classes}


def values(model):
    return [variable.numpy() for variable in model.trainable_variables]


def moved(before, model):
    return [not np.array_equal(a, b) for a, b in zip(before, values(model), strict=True)]


@pytest.mark.parametrize('convolutional', [True, False])
def test_each_update_leaves_the_other_network_bit_for_bit_as_it_was(convolutional):
    gan = task(convolutional=convolutional)
    generator, discriminator = values(gan.generator), values(gan.discriminator)
    gan.discriminator_step(batch(), SEED)
    assert all(moved(discriminator, gan.discriminator))
    assert not any(moved(generator, gan.generator))
    discriminator = values(gan.discriminator)
    gan.generator_step(batch(), SEED)
    assert all(moved(generator, gan.generator))
    assert not any(moved(discriminator, gan.discriminator))


def test_the_losses_are_those_of_the_bound_loss_on_real_and_generated_images():
    for loss in (NonSaturating(), Hinge()):
        gan = task(loss=loss)
        scalars = gan.discriminator_step(batch(), SEED)
        gan = task(loss=loss)
        real = gan.discriminator(PIXELS, training=True)
        seed = tf.random.experimental.stateless_split(SEED, 3)[0]
        fakes = gan.generator(tf.random.stateless_normal([8, 16], seed), training=True)
        fake = gan.discriminator(fakes, training=True)
        expected = loss.discriminator(real, fake)
        np.testing.assert_allclose(scalars['discriminator_loss'], expected, rtol=1e-5)
        np.testing.assert_allclose(scalars['real_logit'], tf.reduce_mean(real), rtol=1e-4)
        np.testing.assert_allclose(scalars['fake_logit'], tf.reduce_mean(fake), rtol=1e-4)


def test_a_batch_of_its_own_for_each_kind_is_not_a_joint_batch():
    separate = task().discriminator_step(batch(), SEED)['real_logit']
    joint = task(joint_batch=True).discriminator_step(batch(), SEED)['real_logit']
    assert float(separate) != pytest.approx(float(joint), rel=1e-4)
    # Without batch normalisation the two are one.
    separate = task(convolutional=False).discriminator_step(batch(), SEED)
    joint = task(convolutional=False, joint_batch=True).discriminator_step(batch(), SEED)
    for name, value in separate.items():
        np.testing.assert_allclose(joint[name], value, rtol=1e-5)


def test_the_generator_draws_codes_of_its_own_unless_told_not_to():
    def loss_by(**settings):
        gan = task(convolutional=False, **settings)
        codes_seed = tf.random.experimental.stateless_split(SEED, 3)[0]
        fakes = gan.generator(tf.random.stateless_normal([8, 16], codes_seed))
        of_same = float(NonSaturating().generator(gan.discriminator(fakes)))
        return float(gan.generator_step(batch(), SEED)['generator_loss']), of_same

    found, of_same = loss_by(fresh_codes=False)
    assert found == pytest.approx(of_same, rel=1e-6)
    found, of_same = loss_by()
    assert found != pytest.approx(of_same, rel=1e-4)


def test_penalties_enter_the_update_of_the_discriminator():
    plain = task(convolutional=False, loss=Wasserstein())
    plain.discriminator_step(batch(), SEED)
    for settings in ({'gradient_penalty': 10.0}, {'r1_penalty': 10.0}):
        held = task(convolutional=False, loss=Wasserstein(), **settings)
        held.discriminator_step(batch(), SEED)
        assert any(moved(values(plain.discriminator), held.discriminator))


def trained(strategy, kind=GAN, steps=5, **settings):
    with strategy.scope():
        gan = task(kind, **settings)
        trainer = Trainer(gan, strategy, seed=0)
    trainer.open_training_data()
    trainer.train(tf.constant(steps))
    return gan


def test_the_discriminator_may_take_several_steps_for_each_of_the_generator(one_device):
    gan = trained(one_device, steps=6, discriminator_steps=3, average_decay=0.5)
    assert int(gan.discriminator_optimizer.iterations) == 6
    assert int(gan.generator_optimizer.iterations) == 2


def test_the_average_moves_with_the_generator(one_device):
    before = trained(one_device, steps=2, discriminator_steps=3, average_decay=0.5)
    start = task()
    for variable, shadow in zip(start.generator.variables, before.average.shadows, strict=True):
        if variable.trainable:
            np.testing.assert_array_equal(variable, shadow)
    after = trained(one_device, steps=3, discriminator_steps=3, average_decay=0.5)
    first = after.average.shadows[0].numpy()
    assert not np.array_equal(first, start.generator.variables[0].numpy())
    assert not np.array_equal(first, after.generator.variables[0].numpy())


class CodesOfImages(GAN):
    """Draws the code of a fake from a real image, so that it does not matter on which replica."""

    def _fakes(self, images, labels, seed):
        codes = tf.reshape(images, [-1, 64])[:, :16]
        return self.generator(codes, *labels, training=True)


def test_two_replicas_take_the_steps_of_one(one_device, two_replicas):
    one = trained(one_device, CodesOfImages, classes=3)
    two = trained(two_replicas, CodesOfImages, classes=3)
    for model in ('generator', 'discriminator'):
        pairs = zip(getattr(one, model).variables, getattr(two, model).variables, strict=True)
        for a, b in pairs:
            np.testing.assert_allclose(a.numpy(), b.numpy(), atol=1e-6)


def test_samples_are_the_same_however_many_make_them():
    gan = task(judged=True, classes=3, samples=10, eval_batch_size=8)

    def samples(feed):
        made = [gan.eval_step(batch, SEED)[1] for batch in gan.eval_data(feed)]
        mask = np.concatenate([batch['mask'] for batch in gan.eval_data(feed)])
        return {
            name: np.concatenate([part[name] for part in made])[mask]
            for name in ('sample', 'label')
        }

    whole, halves = samples(Feed()), samples(Feed(replicas=2))
    assert whole['sample'].shape == (10, 8, 8, 1)
    np.testing.assert_array_equal(whole['label'], np.arange(10) % 3)
    np.testing.assert_allclose(whole['sample'], halves['sample'], atol=1e-6)


def test_without_a_judge_nothing_is_evaluated():
    gan = task()
    assert gan.evaluators() == {}
    assert len(list(gan.eval_data(Feed()))) == 1
    assert gan.eval_step(tf.zeros([]), SEED) == ({}, {})


@pytest.mark.parametrize('classes', [None, 3])
def test_exported_samples_are_a_function_of_the_seed(classes, tmp_path):
    gan = task(classes=classes)
    gan.train_step(batch(classes), SEED)
    tf.saved_model.save(gan, str(tmp_path), signatures=gan.signatures())
    loaded = tf.saved_model.load(str(tmp_path)).signatures
    labels = tf.constant([2, 0, 1, 2, 1])
    asked = {'num': tf.constant(5)} if classes is None else {'label': labels}
    first = loaded['serving_default'](seed=tf.constant([3, 4]), **asked)
    again = loaded['sample'](seed=tf.constant([3, 4]), **asked)
    other = loaded['sample'](seed=tf.constant([3, 5]), **asked)
    assert first['image'].shape == (5, 8, 8, 1)
    np.testing.assert_array_equal(first['image'], again['image'])
    assert not np.allclose(first['image'], other['image'])
    given = {} if classes is None else {'label': labels}
    made = loaded['generate'](latent=first['latent'], **given)
    np.testing.assert_allclose(made['image'], first['image'], atol=1e-6)
    extra = () if classes is None else (labels,)
    here = gan.generator(first['latent'], *extra, training=False)
    np.testing.assert_allclose(here, first['image'], atol=1e-6)


def test_pictures_show_samples_ways_between_them_and_real_images():
    drawn = task(judged=True).pictures(0)
    assert drawn['samples'].shape == (8 * 58 - 2, 8 * 58 - 2, 3)
    assert drawn['real'].shape == (4 * 58 - 2, 8 * 58 - 2, 3)  # There are 32.
    assert drawn['interpolation'].shape == (8 * 58 - 2, 10 * 58 - 2, 3)
    again = task(judged=True).pictures(7)
    np.testing.assert_array_equal(drawn['samples'], again['samples'])


def test_with_classes_a_row_of_the_picture_is_a_class():
    gan = task(classes=3)
    drawn = gan.pictures(0)['samples']
    assert drawn.shape == (3 * 58 - 2, 8 * 58 - 2, 3)
    codes = gan._sampler.inputs(tf.range(8, dtype=tf.int64))[0]
    second = gan.generator(codes, tf.ones([8], tf.int32), training=False).numpy()
    level = round(float((second[4, 0, 0, 0] + 1) / 2 * 255))
    assert drawn[58, 4 * 58, 0] == pytest.approx(level, abs=1)


def test_networks_and_data_that_do_not_fit_are_refused_in_one_line():
    generator, discriminator = networks()
    parts = sgd(), sgd()
    with pytest.raises(UserError, match='num_classes'):
        GAN(networks(classes=3)[0], discriminator, *parts, loader())
    with pytest.raises(UserError, match=r'\[8, 8, 1\], the data are \[16, 16, 1\]'):
        GAN(generator, discriminator, *parts, Images(Synthetic(32), 8, True, 16, 1))
    with pytest.raises(UserError, match="'normal' or 'uniform'"):
        task(distribution='gaussian')
    with pytest.raises(UserError, match='discriminator_steps'):
        task(discriminator_steps=0)
    with pytest.raises(UserError, match='labels = True'):
        task(classes=3).train_step(batch(), SEED)


class DoubleSigmoid(NonSaturating):
    """A known mistake: the logits that the loss is given are probabilities already."""

    def discriminator(self, real_logits, fake_logits):
        return super().discriminator(tf.sigmoid(real_logits), tf.sigmoid(fake_logits))

    def generator(self, fake_logits):
        return super().generator(tf.sigmoid(fake_logits))


def distance_after(steps, loss):
    """Trains on digit scans; returns the Fréchet distance of 1,000 samples to them."""
    keras.utils.set_random_seed(0)
    adam = registry.get('optimizers', 'adam')
    networks = MLPGenerator(8, 1, 64, (128, 128), 0.2), MLPDiscriminator((128, 128))
    gan = GAN(*networks, adam(4e-4, 0.5), adam(4e-4, 0.5), loader(), loss=loss)
    scans = (load_digits().images[..., None] / 16).astype(np.float32)

    @tf.function
    def train():
        for step in tf.range(steps):
            seed = tf.stack([0, step])
            chosen = tf.random.stateless_uniform([64], seed, 0, len(scans), tf.int32)
            gan.train_step({'image': 2 * tf.gather(scans, chosen) - 1}, seed)

    train()
    samples = gan.generator(tf.random.stateless_normal([1000, 64], [7, 7])).numpy()
    network = DigitFeatures()
    looks = [np.round(255 * x).astype(np.uint8) for x in (scans, (samples + 1) / 2)]
    return frechet_distance(*(network(images)[0] for images in looks))


@pytest.mark.slow
def test_a_sigmoid_before_the_loss_ruins_the_samples_and_the_distance_shows_it():
    assert distance_after(2500, NonSaturating()) < 60
    assert distance_after(2500, DoubleSigmoid()) > 90
