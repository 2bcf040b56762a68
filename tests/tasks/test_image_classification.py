"""The parts that a recipe binds to the task of image classification."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden import registry
from garden.augmentations.mixing import MixupCutmix
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.image_classification import ImageClassification as Loader
from garden.losses.classification import BinaryCrossEntropy
from garden.sources.memory import Arrays
from garden.sources.synthetic import Synthetic
from garden.tasks.image_classification import ImageClassification


def network(classes=4):
    return keras.Sequential(
        [
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(momentum=0.9),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(classes),
        ]
    )


def task(**settings):
    train, evaluation = (
        Loader(Synthetic(32, classes=4), 8, t, image_size=8) for t in (True, False)
    )
    optimizer = registry.get('optimizers', 'sgd')(learning_rate=0.0)
    return ImageClassification(network(), optimizer, train, evaluation, **settings)


BATCH = {
    'image': np.random.default_rng(0).normal(size=(8, 8, 8, 3)).astype(np.float32),
    'label': np.arange(8, dtype=np.int32) % 4,
}
SEED = tf.constant([1, 2])


def tensors():
    return {name: tf.constant(value) for name, value in BATCH.items()}


@pytest.mark.parametrize('micro_batches', [1, 2])
def test_training_sees_the_mixed_batch(micro_batches):
    mix = MixupCutmix()
    classifier = task(mix=mix, micro_batches=micro_batches)
    scalars = tf.function(classifier.train_step)(tensors(), SEED)
    labels = tf.one_hot(BATCH['label'], 4)
    images, labels = mix(tf.constant(BATCH['image']), labels, SEED)
    losses = [
        keras.losses.categorical_crossentropy(
            label, classifier.model(image, training=True), from_logits=True
        )
        for image, label in zip(
            tf.split(images, micro_batches), tf.split(labels, micro_batches), strict=True
        )
    ]
    np.testing.assert_allclose(scalars['loss'], np.mean(losses), rtol=1e-5)


def test_the_bound_loss_is_trained_on_and_evaluation_keeps_the_cross_entropy():
    loss = BinaryCrossEntropy(threshold=0.2)
    classifier = task(loss=loss)
    scalars = tf.function(classifier.train_step)(tensors(), SEED)
    logits = classifier.model(BATCH['image'], training=True)
    expected = loss(tf.constant(BATCH['label']), logits)
    np.testing.assert_allclose(scalars['loss'], tf.reduce_mean(expected), rtol=1e-5)
    scalars, _ = classifier.eval_step(tensors(), SEED)
    logits = classifier.model(BATCH['image'], training=False)
    entropy = keras.losses.sparse_categorical_crossentropy(BATCH['label'], logits, from_logits=True)
    np.testing.assert_allclose(scalars['loss'], entropy, rtol=1e-5)


def test_smoothing_beside_a_loss_of_its_own_is_refused():
    with pytest.raises(UserError, match='a setting of its own'):
        task(loss=BinaryCrossEntropy(), label_smoothing=0.1)


@pytest.mark.parametrize('micro_batches', [1, 2])
def test_precise_statistics_are_those_of_the_parts_that_training_normalises(micro_batches):
    classifier = task(precise_batches=5, micro_batches=micro_batches)
    calibration = classifier.calibration()
    assert calibration.batches == 5
    mean, variance = tf.function(calibration.estimate)(tensors())
    maps = classifier.model.layers[0](BATCH['image']).numpy().reshape(micro_batches, -1, 4)
    np.testing.assert_allclose(mean, maps.mean(1).mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(variance, maps.var(1, ddof=1).mean(0), rtol=1e-4)


def test_images_normalised_on_the_device_are_the_same_to_every_step():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, [32, 8, 8, 3], np.uint8)
    source = Arrays({'image': pixels, 'label': rng.integers(0, 4, 32)})
    found = []
    for on_device in (False, True):
        keras.utils.set_random_seed(0)
        loaders = [
            Loader(source, 8, training, 8, crop='center', flip=False, on_device=on_device)
            for training in (True, False)
        ]
        optimizer = registry.get('optimizers', 'sgd')(learning_rate=0.0)
        classifier = ImageClassification(network(), optimizer, *loaders, precise_batches=1)
        train, evaluation = (next(iter(loader(Feed()))) for loader in loaders)
        assert train['image'].dtype == (tf.uint8 if on_device else tf.float32)
        found.append(
            [
                classifier.calibration().estimate(train),
                classifier.eval_step(evaluation, SEED),
                classifier.train_step(train, SEED),
            ]
        )
    for ours, theirs in zip(*map(tf.nest.flatten, found), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_without_a_setting_nothing_is_estimated_or_averaged():
    classifier = task()
    assert classifier.calibration() is None
    assert classifier.averages() == ()
