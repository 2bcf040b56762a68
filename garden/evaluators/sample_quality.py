"""How good generated samples are: distances, coverage, classes and novelty, in some features."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.images import Images
from garden.core.registry import register
from garden.evaluators import distances


class FeatureNetwork(Protocol):
    """What sees images.

    Attributes:
      metrics: the names of the Fréchet distance, the kernel distance and the classifier score as
        this network measures them: figures of two networks cannot be compared.
    """

    metrics: Sequence[str]

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns features [n, d] and class probabilities [n, classes] of uint8 [n, h, w, c]."""


@register('evaluators', 'sample_quality')
class SampleQuality:
    """Compares samples with real images.

    The metrics, of which no single one tells good samples from bad:

    * the Fréchet distance to `reference`; `distances.frechet_distance`,
    * the kernel distance to `held_out`; `distances.kernel_distance`,
    * the classifier score; `distances.classifier_score`,
    * `precision` and `recall` against `held_out`, with as many samples as there are images in it;
    * `smallest_share` and `largest_share`: the shares of the samples that the classes have which
      the network sees least and most of; a dropped class shows in the former,
    * `novelty`: the median distance of a sample to the nearest image of `reference`, as a multiple
      of that of a held-out image; near 0 the training images were memorised,
    * `accuracy`, if `labelled`: the share of samples that are classified as what was asked for.

    Samples are rounded to uint8 before they are looked at.

    Args:
      features: the network that looks.
      reference: the images that the samples are to resemble, e.g. the training split.
      held_out: real images that were not trained on; None takes `reference` in their place, and
        `novelty` is left out.
      labelled: whether samples come with the labels that they were made for.
      neighbours: k of precision and recall.
      kernel_subsets: pairs of random subsets over which the kernel distance is a mean.
      kernel_subset_size: at most so many samples are in each.
      score_splits: parts of which the classifier score is the mean.

    Attributes:
      metrics: the names of all of these.
    """

    def __init__(
        self,
        features: FeatureNetwork,
        reference: Images,
        held_out: Images | None = None,
        labelled: bool = False,
        neighbours: int = 3,
        kernel_subsets: int = 50,
        kernel_subset_size: int = 1000,
        score_splits: int = 1,
    ):
        self._network = features
        self._reference = reference
        self._held_out = held_out
        self._labelled = labelled
        self._neighbours = neighbours
        self._kernel = (kernel_subsets, kernel_subset_size)
        self._score_splits = score_splits
        self._known: dict[int, np.ndarray] = {}
        self.metrics: Sequence[str] = (
            *features.metrics,
            *('precision', 'recall', 'smallest_share', 'largest_share'),
            *(('novelty',) if held_out is not None else ()),
            *(('accuracy',) if labelled else ()),
        )
        self.reset_state()

    @property
    def summary(self) -> str:
        """What samples are compared with."""
        held_out = self._held_out
        return self._reference.summary + ('' if held_out is None else f'; {held_out.summary}')

    def reset_state(self) -> None:
        """Forgets all samples."""
        self._features: list[np.ndarray] = []
        self._probabilities: list[np.ndarray] = []
        self._labels: list[np.ndarray] = []

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes 'sample' [n, h, w, c], in the range of `reference`; if labelled, 'label' [n]."""
        features, probabilities = self._network(self._reference.denormalize(outputs['sample']))
        self._features.append(features)
        self._probabilities.append(probabilities)
        if self._labelled:
            self._labels.append(outputs['label'])

    def result(self) -> Mapping[str, float]:
        """Returns the metrics.

        Raises:
          UserError: if there are less than two samples.
        """
        fake = np.concatenate(self._features)
        if len(fake) < 2:
            raise UserError('sample_quality needs at least 2 samples: raise their number.')
        probabilities = np.concatenate(self._probabilities)
        reference = self._features_of(self._reference)
        held_out = reference
        if self._held_out is not None:
            held_out = self._features_of(self._held_out)
        classes = probabilities.argmax(axis=1)
        shares = np.bincount(classes, minlength=probabilities.shape[1]) / len(classes)
        values = [
            distances.frechet_distance(reference, fake),
            distances.kernel_distance(held_out, fake, *self._kernel),
            distances.classifier_score(probabilities, self._score_splits).mean(),
            *distances.precision_recall(held_out, fake[: len(held_out)], self._neighbours),
            shares.min(),
            shares.max(),
        ]
        if self._held_out is not None:
            near = [np.median(distances.nearest_distances(x, reference)) for x in (fake, held_out)]
            values.append(near[0] / near[1])
        if self._labelled:
            values.append((classes == np.concatenate(self._labels)).mean())
        return dict(zip(self.metrics, map(float, values), strict=True))

    def real(self, count: int) -> np.ndarray:
        """Returns the first images of `reference`, uint8 [count, h, w, c]."""
        first: list[np.ndarray] = []
        for part in _real_images(self._reference):
            first.extend(self._reference.denormalize(part))
            if len(first) >= count:
                break
        return np.stack(first[:count])

    def _features_of(self, images: Images) -> np.ndarray:
        """Returns the features of real images, which are read once."""
        if id(images) not in self._known:
            parts = [self._network(images.denormalize(part))[0] for part in _real_images(images)]
            self._known[id(images)] = np.concatenate(parts)
        return self._known[id(images)]


def _real_images(images: Images) -> Iterator[np.ndarray]:
    """Yields all images in batches [n, h, w, c], padding removed."""
    for batch in images(Feed()):
        yield batch['image'].numpy()[batch['mask'].numpy()]
