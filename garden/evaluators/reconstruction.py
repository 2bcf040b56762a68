"""What reconstructions are compared with, and how much of a code is in use."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np


class PCABaseline:
    """The error of principal components as many as a code has numbers: the best linear autoencoder.

    The components are those of the training images. They are computed at the end of the first pass.

    Args:
      components: how many are kept.
      training_images: returns the training images, in batches [n, ...].
    """

    metrics: Sequence[str] = ('pca_mse', 'mse_over_pca')

    def __init__(self, components: int, training_images: Callable[[], Iterable[np.ndarray]]):
        self._components = components
        self._training_images = training_images
        self._errors_of: Callable[[np.ndarray], np.ndarray] | None = None
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets the images of the pass."""
        self._images: list[np.ndarray] = []
        self._errors: list[np.ndarray] = []

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes 'image' [n, ...] and 'reconstruction', of the same shape."""
        images = _flat(outputs['image'])
        self._images.append(images)
        self._errors.append(np.square(images - _flat(outputs['reconstruction'])))

    def result(self) -> Mapping[str, float]:
        """Returns the mean squared error of PCA, and the system's as a multiple of it."""
        if self._errors_of is None:
            self._errors_of = self._fitted()
        pca = float(self._errors_of(np.concatenate(self._images)).mean())
        own = float(np.concatenate(self._errors).mean())
        return {'pca_mse': pca, 'mse_over_pca': own / pca}

    def _fitted(self) -> Callable[[np.ndarray], np.ndarray]:
        from sklearn.decomposition import PCA

        training = np.concatenate([_flat(batch) for batch in self._training_images()])
        components = min(self._components, *training.shape)
        pca = PCA(components, svd_solver='full').fit(training)
        return lambda images: np.square(images - pca.inverse_transform(pca.transform(images)))


class ActiveUnits:
    """Counts the latents whose means vary from image to image (arXiv:1509.00519, section 5).

    Args:
      threshold: a latent is active if the variance of its mean over the data is larger.
    """

    metrics: Sequence[str] = ('active_units',)

    def __init__(self, threshold: float = 0.01):
        self._threshold = threshold
        self.reset_state()

    def reset_state(self) -> None:
        """Forgets the pass."""
        self._means: list[np.ndarray] = []

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes 'code_mean' [n, latents]."""
        self._means.append(outputs['code_mean'])

    def result(self) -> Mapping[str, float]:
        """Returns how many latents are active."""
        variances = np.concatenate(self._means).var(axis=0)
        return {'active_units': float((variances > self._threshold).sum())}


def _flat(images: np.ndarray) -> np.ndarray:
    return np.asarray(images, np.float64).reshape(len(images), -1)
