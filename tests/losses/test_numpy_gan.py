import numpy as np
import pytest

from garden.losses import gan, numpy_gan


def test_values_are_those_of_the_loss_in_tensorflow():
    real, fake = np.random.default_rng(0).normal(0, 3, (2, 6, 1)).astype(np.float32)
    loss = gan.NonSaturating()
    assert numpy_gan.discriminator(real, fake)[0] == pytest.approx(
        float(loss.discriminator(real, fake)), rel=1e-6
    )
    assert numpy_gan.generator(fake)[0] == pytest.approx(float(loss.generator(fake)), rel=1e-6)


@pytest.mark.filterwarnings('error')
def test_logits_of_a_thousand_are_no_trouble():
    value, gradient = numpy_gan.generator(np.array([1000.0, -1000.0]))
    assert value == 500
    np.testing.assert_array_equal(gradient, [0, -0.5])
    value, to_real, to_fake = numpy_gan.discriminator(
        np.array([1000.0, -1000.0]), np.array([-1000.0, 1000.0])
    )
    assert value == 1000
    np.testing.assert_array_equal(to_real, [0, -0.5])
    np.testing.assert_array_equal(to_fake, [0, 0.5])


def test_the_textbook_form_would_not_survive_them():
    """-log(1 / (1 + exp(-x))), as the first attempt computed it."""
    with np.errstate(over='ignore', divide='ignore'):
        naive = -np.log(1 / (1 + np.exp(-np.array([1000.0, -1000.0]))))
    assert not np.isfinite(naive).all()
