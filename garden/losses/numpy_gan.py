"""The non-saturating loss of `losses.gan` in plain NumPy, with its derivatives by hand."""

from typing import Any, Protocol

import numpy as np

from garden.core.arrays import Parameters


class Differentiable(Protocol):
    """A function of parameters and a batch, with its derivative; see `models.numpy_layers`."""

    def forward(self, parameters: Parameters, x: np.ndarray) -> tuple[np.ndarray, Any]:
        """Returns the output and a cache for `backward`."""

    def backward(
        self, parameters: Parameters, cache: Any, gradient: np.ndarray
    ) -> tuple[np.ndarray, Parameters]:
        """Returns the gradients of the input and of the parameters, given that of the output."""


def discriminator(
    real_logits: np.ndarray, fake_logits: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Returns mean softplus(-real) + mean softplus(fake), and its two gradients.

    Args:
      real_logits: of any shape; no sigmoid has been applied.
      fake_logits: of any shape.

    Returns:
      The loss, and its gradients with respect to the real and to the fake logits.
    """
    loss = _softplus(-real_logits).mean() + _softplus(fake_logits).mean()
    return (
        float(loss),
        (sigmoid(real_logits) - 1) / real_logits.size,
        sigmoid(fake_logits) / fake_logits.size,
    )


def generator(fake_logits: np.ndarray) -> tuple[float, np.ndarray]:
    """Returns mean softplus(-fake), and its gradient with respect to the logits."""
    return float(_softplus(-fake_logits).mean()), (sigmoid(fake_logits) - 1) / fake_logits.size


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Returns 1 / (1 + exp(-x)); no exponential in it can overflow."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


def discriminator_gradients(
    network: Differentiable, parameters: Parameters, real: np.ndarray, fake: np.ndarray
) -> tuple[float, Parameters]:
    """Returns the discriminator's loss and its gradients; the images are held fixed.

    Args:
      network: the discriminator.
      parameters: its parameters.
      real: real images.
      fake: generated images.
    """
    real_logits, real_cache = network.forward(parameters, real)
    fake_logits, fake_cache = network.forward(parameters, fake)
    loss, to_real, to_fake = discriminator(real_logits, fake_logits)
    _, of_real = network.backward(parameters, real_cache, to_real)
    _, of_fake = network.backward(parameters, fake_cache, to_fake)
    return loss, {name: of_real[name] + of_fake[name] for name in parameters}


def generator_gradients(
    network: Differentiable,
    parameters: Parameters,
    judge: Differentiable,
    fixed: Parameters,
    codes: np.ndarray,
) -> tuple[float, Parameters]:
    """Returns the generator's loss and its gradients, which pass through the discriminator.

    Args:
      network: the generator.
      parameters: its parameters.
      judge: the discriminator.
      fixed: the discriminator's parameters, which are held fixed.
      codes: what to make images of.
    """
    images, cache = network.forward(parameters, codes)
    logits, judged = judge.forward(fixed, images)
    loss, to_logits = generator(logits)
    to_images, _ = judge.backward(fixed, judged, to_logits)
    _, gradients = network.backward(parameters, cache, to_images)
    return loss, gradients


def _softplus(x: np.ndarray) -> np.ndarray:
    """Returns log(1 + exp(x)) in a form that neither overflows nor takes the logarithm of 0."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
