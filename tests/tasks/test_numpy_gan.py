"""Gradients by hand are those of autodiff; those of the first attempt at a NumPy GAN are not."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.dataloaders.images import Images
from garden.losses import numpy_gan as losses
from garden.losses.numpy_gan import discriminator_gradients, generator_gradients
from garden.models.numpy_gan import numpy_discriminator, numpy_generator
from garden.optimizers.numpy_adam import NumpyAdam
from garden.sources.memory import Arrays as Source
from garden.tasks.numpy_gan import NumpyGAN

SIZE, LATENT, SLOPE, BATCH = 4, 5, 0.2, 9
GENERATOR = numpy_generator(SIZE, 1, LATENT, (7, 6), SLOPE)
DISCRIMINATOR = numpy_discriminator(SIZE, 1, (8, 6), SLOPE)


def drawn(dtype=np.float64):
    """Returns parameters of both networks, biases not zero, then images and codes."""
    rng = np.random.default_rng(3)
    parameters = [
        {name: rng.normal(0, 0.5, value.shape).astype(dtype) for name, value in initial.items()}
        for initial in (GENERATOR.initial(rng), DISCRIMINATOR.initial(rng))
    ]
    images, fakes = rng.uniform(-1, 1, (2, BATCH, SIZE, SIZE, 1)).astype(dtype)
    return *parameters, images, fakes, rng.normal(size=(BATCH, LATENT)).astype(dtype)


def perceptron(weights, x):
    """The linear layers with leaky ReLU between, in TensorFlow; tf.nn.leaky_relu is not exact."""
    numbers = sorted({int(name.split('.')[0]) for name in weights})
    x = tf.reshape(x, [len(x), -1])
    for number in numbers:
        x = x @ weights[f'{number}.weight'] + weights[f'{number}.bias']
        if number != numbers[-1]:
            x = tf.where(x > 0, x, tf.constant(SLOPE, x.dtype) * x)
    return x


def cross_entropy(logits, target):
    targets = target * tf.ones_like(logits)
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(targets, logits))


def discriminator_loss(weights, real, fake):
    fake_loss = cross_entropy(perceptron(weights, fake), 0)
    return cross_entropy(perceptron(weights, real), 1) + fake_loss


def generator_loss(weights, fixed, codes):
    return cross_entropy(perceptron(fixed, tf.tanh(perceptron(weights, codes))), 1)


def autodiff(loss, weights, *arguments):
    tensors = {name: tf.constant(value) for name, value in weights.items()}
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = loss(tensors, *arguments)
    return float(value), tape.gradient(value, tensors)


def distance(found, expected):
    """The largest difference, relative to the largest number of a gradient."""
    assert found.keys() == expected.keys()
    return max(
        np.abs(found[name] - expected[name]).max() / np.abs(expected[name]).max()
        for name in expected
    )


@pytest.mark.parametrize(('dtype', 'tolerance'), [(np.float64, 1e-12), (np.float32, 2e-5)])
def test_gradients_and_losses_are_those_of_autodiff(dtype, tolerance):
    ours, theirs, real, fake, codes = drawn(dtype)
    loss, found = discriminator_gradients(DISCRIMINATOR, theirs, real, fake)
    expected_loss, expected = autodiff(discriminator_loss, theirs, real, fake)
    assert loss == pytest.approx(expected_loss, rel=tolerance)
    assert distance(found, expected) <= tolerance
    assert {value.dtype for value in found.values()} == {np.dtype(dtype)}
    loss, found = generator_gradients(GENERATOR, ours, DISCRIMINATOR, theirs, codes)
    expected_loss, expected = autodiff(generator_loss, ours, theirs, codes)
    assert loss == pytest.approx(expected_loss, rel=tolerance)
    assert distance(found, expected) <= tolerance
    assert {value.dtype for value in found.values()} == {np.dtype(dtype)}


def test_gradients_are_those_of_central_differences():
    ours, theirs, *_, codes = drawn()
    _, found = generator_gradients(GENERATOR, ours, DISCRIMINATOR, theirs, codes)
    rng = np.random.default_rng(0)
    for name, value in ours.items():
        place = tuple(rng.integers(value.shape))
        losses_beside = []
        for shift in (1e-5, -1e-5):
            moved = value.copy()
            moved[place] += shift
            beside, _ = generator_gradients(
                GENERATOR, {**ours, name: moved}, DISCRIMINATOR, theirs, codes
            )
            losses_beside.append(beside)
        slope = (losses_beside[0] - losses_beside[1]) / 2e-5
        assert found[name][place] == pytest.approx(slope, rel=1e-6, abs=1e-9)


# What the first attempt did, each mistake alone: (parameters, real, fake) -> gradients.


def of_discriminator(theirs, real, fake, change=lambda to_real, to_fake, caches: None):
    """The right gradients, unless `change` does something to what they are made of."""
    real_logits, real_caches = DISCRIMINATOR.forward(theirs, real)
    fake_logits, fake_caches = DISCRIMINATOR.forward(theirs, fake)
    _, to_real, to_fake = losses.discriminator(real_logits, fake_logits)
    change(to_real, to_fake, (real_caches, fake_caches))
    _, of_real = DISCRIMINATOR.backward(theirs, real_caches, to_real)
    _, of_fake = DISCRIMINATOR.backward(theirs, fake_caches, to_fake)
    return of_real, of_fake


def total(parts):
    return {name: parts[0][name] + parts[1][name] for name in parts[0]}


def the_value_goes_back(theirs, real, fake):
    def change(to_real, to_fake, caches):
        del caches
        real_logits, fake_logits = (DISCRIMINATOR.forward(theirs, x)[0] for x in (real, fake))
        value, *_ = losses.discriminator(real_logits, fake_logits)
        to_real[...] = to_fake[...] = abs(value) / BATCH

    return total(of_discriminator(theirs, real, fake, change))


def passes_share_a_cache(theirs, real, fake):
    def change(to_real, to_fake, caches):
        del to_real, to_fake
        caches[0][:] = caches[1]

    return total(of_discriminator(theirs, real, fake, change))


def activations_are_overwritten_by_their_derivative(theirs, real, fake):
    def change(to_real, to_fake, caches):
        del to_real, to_fake
        for layers in caches:
            for number in (2, 4):  # The leaky ReLUs; the linear layer behind each keeps its input.
                layers[number + 1] = np.where(layers[number], 1, SLOPE)

    return total(of_discriminator(theirs, real, fake, change))


def the_first_part_is_added_twice(theirs, real, fake):
    of_real, of_fake = of_discriminator(theirs, real, fake)
    return total((of_real, total((of_real, of_fake))))


def biases_stay(theirs, real, fake):
    found = total(of_discriminator(theirs, real, fake))
    return {name: value * (not name.endswith('bias')) for name, value in found.items()}


def sums_instead_of_means(theirs, real, fake):
    found = total(of_discriminator(theirs, real, fake))
    return {name: value * BATCH for name, value in found.items()}


@pytest.mark.parametrize(
    'mistake',
    [
        the_value_goes_back,
        passes_share_a_cache,
        activations_are_overwritten_by_their_derivative,
        the_first_part_is_added_twice,
        biases_stay,
        sums_instead_of_means,
    ],
)
def test_a_mistake_of_the_first_attempt_gives_other_gradients(mistake):
    _, theirs, real, fake, _ = drawn()
    _, expected = autodiff(discriminator_loss, theirs, real, fake)
    assert distance(total(of_discriminator(theirs, real, fake)), expected) <= 1e-12
    assert distance(mistake(theirs, real, fake), expected) > 0.1


def test_the_discriminators_loss_over_all_pixels_does_not_train_a_generator():
    ours, theirs, *_, codes = drawn()
    _, expected = autodiff(generator_loss, ours, theirs, codes)
    images, cache = GENERATOR.forward(ours, codes)
    loss, _ = losses.generator(DISCRIMINATOR.forward(theirs, images)[0])
    _, found = GENERATOR.backward(ours, cache, np.full_like(images, loss))
    cosine = sum(np.vdot(found[n], expected[n]) for n in found) / np.sqrt(
        sum(np.vdot(v, v) for v in found.values())
        * sum(np.vdot(v, v) for v in map(np.asarray, expected.values()))
    )
    assert cosine < 0.5


def test_no_pass_changes_an_array():
    _, theirs, real, *_ = drawn()
    kept = {name: value.copy() for name, value in theirs.items()}
    images = real.copy()
    logits, caches = DISCRIMINATOR.forward(theirs, real)
    gradient = np.ones_like(logits)
    first = DISCRIMINATOR.backward(theirs, caches, gradient)
    DISCRIMINATOR.forward(theirs, real + 1)
    again = DISCRIMINATOR.backward(theirs, caches, gradient)
    np.testing.assert_array_equal(first[0], again[0])
    for name in theirs:
        np.testing.assert_array_equal(first[1][name], again[1][name])
        np.testing.assert_array_equal(theirs[name], kept[name])
    np.testing.assert_array_equal(real, images)
    np.testing.assert_array_equal(gradient, 1)


# The task.


def source(count=10):
    rng = np.random.default_rng(1)
    return Source({'image': rng.integers(0, 256, (count, SIZE, SIZE, 1), np.uint8)})


def task():
    keras.utils.set_random_seed(0)
    data = Images(source(), 4, True, SIZE, 1, low=-1.0)
    generator, discriminator = (NumpyAdam(1e-3, 0.5) for _ in range(2))
    return NumpyGAN(GENERATOR, DISCRIMINATOR, generator, discriminator, data, None, LATENT)


def test_twenty_steps_are_those_of_tensorflow():
    ours = task()
    weights = [
        {name: tf.Variable(value) for name, value in state.values.items()}
        for state in (ours.generator, ours.discriminator)
    ]
    adams = [keras.optimizers.Adam(1e-3, beta_1=0.5, epsilon=1e-8) for _ in range(2)]
    rng = np.random.default_rng(5)
    for step in range(20):
        real = rng.uniform(-1, 1, (BATCH, SIZE, SIZE, 1)).astype(np.float32)
        seed = np.array([step, -7], np.int32)
        found = ours.train_step({'image': tf.constant(real)}, tf.constant(seed))
        codes = np.random.default_rng(seed.view(np.uint32)).standard_normal(
            (2, BATCH, LATENT), np.float32
        )
        fake = tf.tanh(perceptron(weights[0], codes[0]))
        with tf.GradientTape() as tape:
            loss = discriminator_loss(weights[1], real, fake)
        adams[1].apply_gradients(
            zip(tape.gradient(loss, list(weights[1].values())), weights[1].values(), strict=True)
        )
        assert found['discriminator_loss'] == pytest.approx(float(loss), rel=1e-4)
        with tf.GradientTape() as tape:
            loss = generator_loss(weights[0], weights[1], codes[1])
        adams[0].apply_gradients(
            zip(tape.gradient(loss, list(weights[0].values())), weights[0].values(), strict=True)
        )
        assert found['generator_loss'] == pytest.approx(float(loss), rel=1e-4)
    for state, expected in zip((ours.generator, ours.discriminator), weights, strict=True):
        for name, value in state.values.items():
            np.testing.assert_allclose(value, expected[name], atol=1e-4)


def test_codes_have_no_mean_and_every_batch_is_whole():
    seen = []

    class Listening:
        initial, backward = GENERATOR.initial, GENERATOR.backward

        def forward(self, parameters, x):
            seen.append(x)
            return GENERATOR.forward(parameters, x)

    ours = task()
    ours._networks = (Listening(), DISCRIMINATOR)
    batch = {'image': tf.zeros([500, SIZE, SIZE, 1])}
    ours.train_step(batch, tf.constant([1, 2]))
    for codes in seen:
        assert abs(codes.mean()) < 0.1
        assert codes.std() == pytest.approx(1, abs=0.1)
    assert not np.array_equal(*seen)

    from garden.core.feed import Feed

    rows = [batch['image'].numpy() for batch in ours.train_data(Feed()).take(5)]
    assert {len(images) for images in rows} == {4}  # Of 10 pictures: two epochs.
    _, counts = np.unique(np.concatenate(rows), axis=0, return_counts=True)
    assert counts.tolist() == [2] * 10


def test_an_export_makes_what_numpy_makes(tmp_path):
    ours = task()
    ours.train_step({'image': tf.zeros([4, SIZE, SIZE, 1])}, tf.constant([1, 2]))
    tf.saved_model.save(tf.Module(), str(tmp_path), signatures=dict(ours.signatures()))
    loaded = tf.saved_model.load(str(tmp_path)).signatures
    first, again = (
        loaded['sample'](num=tf.constant(n), seed=tf.constant([3, n - n])) for n in (6, 6)
    )
    np.testing.assert_array_equal(first['image'], again['image'])
    other = loaded['sample'](num=tf.constant(6), seed=tf.constant([4, 0]))
    assert not np.allclose(first['image'], other['image'])
    images, _ = GENERATOR.forward(ours.average.values, first['latent'].numpy())
    np.testing.assert_allclose(first['image'], images, atol=1e-6)
    generated = loaded['generate'](latent=first['latent'][:2])
    np.testing.assert_allclose(generated['image'], images[:2], atol=1e-6)
