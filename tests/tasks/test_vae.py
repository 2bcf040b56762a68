"""Variational autoencoders as tasks: bounds, their weights, black and white, exports."""

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from garden import registry
from garden.core.errors import UserError
from garden.dataloaders.images import Images
from garden.losses.likelihood import Bernoulli, Gaussian
from garden.models.vae import DenseVAE
from garden.sources.memory import Arrays
from garden.tasks.vae import VAE

PICTURES = np.random.default_rng(0).integers(0, 256, [24, 4, 4, 1], np.uint8)
VALUES = PICTURES.astype(np.float32) / 255
BATCH = {'image': tf.constant(VALUES)}
SEED = tf.constant([1, 2])


def task(hidden=(8,), latents=3, network=None, **settings):
    loaders = [Images(Arrays({'image': PICTURES}), 8, t, 4, channels=1) for t in (True, False)]
    optimizer = registry.get('optimizers', 'sgd')(learning_rate=1.0)
    network = network or DenseVAE((4, 4, 1), latents, hidden)
    return VAE(network, optimizer, *loaders, **settings)


def means(scalars):
    return {name: float(np.mean(values)) for name, values in scalars.items()}


def linear_model():
    """A linear decoder under Gaussian noise: its marginal likelihood is known in closed form."""
    random = np.random.default_rng(3)
    network = DenseVAE((4, 4, 1), 2, hidden=())
    shapes = [weight.shape for weight in network.get_weights()]
    network.set_weights([random.normal(0, 0.3, shape).astype(np.float32) for shape in shapes])
    return network


def log_marginal(network):
    """log N(x; b, W'W + I) of each image, its constant of 16 pixels left out as the loss does."""
    kernel, bias = (weight.numpy() for weight in network.decoder.layers[0].weights)
    covariance = kernel.T @ kernel + np.eye(16)
    exact = scipy.stats.multivariate_normal(bias, covariance).logpdf(VALUES.reshape(24, 16))
    return exact + 0.5 * 16 * np.log(2 * np.pi)


def test_the_bounds_rise_towards_the_likelihood_and_do_not_pass_it():
    network = linear_model()
    settings = {'network': network, 'likelihood': Gaussian(), 'binarise': None}
    found = {
        k: means(tf.function(task(**settings, importance_samples=k).eval_step)(BATCH, SEED)[0])
        for k in (1, 10, 3000)
    }
    exact = -log_marginal(network).mean()
    bounds = [found[3000]['negative_elbo']] + [found[k]['negative_iwae'] for k in (10, 3000)]
    assert bounds[0] > bounds[1] + 0.1 > bounds[2] + 0.1
    assert bounds[2] == pytest.approx(exact, abs=0.05)
    for metrics in found.values():
        both = metrics['reconstruction'] + metrics['kl']
        assert metrics['negative_elbo'] == pytest.approx(both, rel=1e-5)


def test_the_bound_is_exact_where_the_code_is_the_posterior():
    """With the true posterior as encoder each draw has the same weight: the likelihood itself."""
    network = linear_model()
    kernel, bias = (weight.numpy() for weight in network.decoder.layers[0].weights)
    precision = kernel @ kernel.T + np.eye(2)
    rotation, eigenvalues = np.linalg.eigh(precision)[::-1]
    kernel = rotation.T @ kernel  # Codes turned, for the posterior to have independent latents.
    network.decoder.layers[0].kernel.assign(kernel)
    gain = kernel.T / eigenvalues
    network.mean.set_weights([gain, -bias @ gain])
    network.log_variance.set_weights([np.zeros([16, 2]), -np.log(eigenvalues)])
    system = task(network=network, likelihood=Gaussian(), binarise=None, importance_samples=3)
    scalars, _ = system.eval_step(BATCH, SEED)
    np.testing.assert_allclose(scalars['negative_iwae'], -log_marginal(network), rtol=1e-4)


def gradients(**settings):
    """The update of one step at learning rate 1, that is the gradient of the loss."""
    system = task(network=linear_model(), **settings)
    before = [variable.numpy() for variable in system.model.trainable_variables]
    system.train_step(BATCH, SEED)
    after = [variable.numpy() for variable in system.model.trainable_variables]
    return [old - new for old, new in zip(before, after, strict=True)]


def test_an_original_that_sums_errors_over_the_batch_has_a_beta_of_one_over_its_size():
    """mean_i(sum of all errors + KL_i) is n times the loss with beta = 1 / n."""
    network, size = linear_model(), len(VALUES)
    noise = tf.random.stateless_normal([size, 2], tf.random.split(SEED, 2)[1])
    with tf.GradientTape() as tape:
        outputs, mean, log_variance = network(VALUES, noise)
        total = 0.5 * tf.reduce_sum(tf.square(outputs - VALUES))
        kl = -0.5 * tf.reduce_sum(1 + log_variance - mean**2 - tf.exp(log_variance), axis=1)
        original = tf.reduce_mean(total + kl)
    expected = tape.gradient(original, network.trainable_variables)
    found = gradients(likelihood=Gaussian(), binarise=None, beta=1 / size)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(size * ours, theirs, rtol=1e-3, atol=1e-3)


def test_free_bits_cost_nothing():
    """With more free nats than any latent has, only the reconstruction moves the weights."""
    settings = {'likelihood': Gaussian(), 'binarise': None}
    free, without = gradients(**settings, free_bits=1e3), gradients(**settings, beta=0.0)
    for ours, theirs in zip(free, without, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_threshold_makes_half_grey_white():
    _, outputs = task().eval_step(BATCH, SEED)
    np.testing.assert_array_equal(outputs['image'], PICTURES >= 128)


def test_sampled_pixels_are_drawn_anew_with_their_grey_as_probability():
    system = task(binarise='sample', importance_samples=1)
    drawn = np.stack([system.eval_step(BATCH, SEED + i)[1]['image'].numpy() for i in range(60)])
    assert set(np.unique(drawn)) == {0, 1}
    np.testing.assert_allclose(drawn.mean(axis=0), VALUES, atol=0.3)
    assert drawn.mean() == pytest.approx(VALUES.mean(), abs=0.01)


@pytest.fixture(scope='module')
def exported(tmp_path_factory):
    system, holder = task(), tf.Module()
    holder.model = system.model
    path = str(tmp_path_factory.mktemp('saved'))
    tf.saved_model.save(holder, path, signatures=system.signatures())
    return system, tf.saved_model.load(path).signatures


def test_exported_parts_fit_together(exported):
    system, loaded = exported
    images = tf.constant(VALUES[:5])
    code = loaded['encode'](image=images)
    assert code['mean'].shape == code['log_variance'].shape == (5, 3)
    decoded = loaded['decode'](latent=code['mean'])['image']
    _, outputs = system.eval_step({'image': images}, SEED)
    for image in (
        decoded,
        *(loaded[n](image=images)['image'] for n in ('reconstruct', 'serving_default')),
    ):
        np.testing.assert_allclose(image, outputs['reconstruction'], rtol=1e-5, atol=1e-6)


def test_exported_samples_are_those_of_their_seed(exported):
    _, loaded = exported

    def sample(num, seed, temperature=1.0):
        drawn = loaded['sample'](
            num=tf.constant(num), seed=tf.constant(seed), temperature=tf.constant(temperature)
        )
        np.testing.assert_allclose(
            drawn['image'], loaded['decode'](latent=drawn['latent'])['image'], rtol=1e-5
        )
        return drawn['latent'].numpy()

    assert sample(7, [0, 1]).shape == (7, 3)
    np.testing.assert_array_equal(sample(7, [0, 1]), sample(7, [0, 1]))
    assert not np.array_equal(sample(7, [0, 1]), sample(7, [0, 2]))
    np.testing.assert_allclose(sample(7, [0, 1], 0.5), 0.5 * sample(7, [0, 1]), rtol=1e-6)


@pytest.mark.parametrize(('latents', 'more'), [(3, set()), (2, {'latent_plane'})])
def test_pictures(latents, more):
    system = task(latents=latents)
    _, outputs = system.eval_step(BATCH, SEED)
    system.evaluators()['shown'].update_state({k: v.numpy() for k, v in outputs.items()})
    drawn = system.pictures(0)
    assert set(drawn) == {'reconstructions', 'samples', 'interpolations'} | more
    assert all(picture.dtype == np.uint8 for picture in drawn.values())
    # The samples are drawn from one seed: only training changes them.
    np.testing.assert_array_equal(system.pictures(1)['samples'], drawn['samples'])


def test_samples_are_handed_to_what_judges_them():
    class Judge:
        metrics = ('taste',)

    system = task(sample_quality=Judge(), likelihood=Bernoulli())
    _, outputs = system.eval_step(BATCH, SEED)
    assert outputs['sample'].shape == BATCH['image'].shape
    assert 'taste' in system.evaluators()['sample_quality'].metrics


@pytest.mark.parametrize(
    ('setting', 'message'),
    [
        ({'binarise': 'treshold'}, r"not 'treshold'. Did you mean threshold"),
        ({'importance_samples': 0}, 'importance_samples is at least 1; 0 is not'),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(UserError, match=message):
        task(**setting)
