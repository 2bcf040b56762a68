"""The handwritten digits that scikit-learn brings along, as a TFDS data set."""

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow_datasets as tfds

_TRAIN = range(1297)
_TEST = range(1297, 1797)
_MIXED_TEST = 360
_BLACK = 16  # The scans count the dark pixels of 4 x 4 blocks: 0 to 16.


class Digits(tfds.core.GeneratorBasedBuilder):
    """1,797 real scans of handwritten digits, 8 x 8 pixels, 10 classes.

    They are the test part of E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits,
    UCI Machine Learning Repository, 1998. 'train' is scans 0 to 1296 in scikit-learn's order and
    'test' is 1297 to 1796. 'mixed_train' (1,437) and 'mixed_test' (360) are drawn from all scans at
    random, class by class: two samples of one distribution, as comparing generated with real scans
    needs.

    The features are 'image', a grey PNG (`to_grey` of the scan), and 'label'.
    """

    VERSION = tfds.core.Version('1.1.0')
    needs_network = False
    url_infos = None  # No downloads, so no list of their checksums to look for.

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            'image': tfds.features.Image(shape=(8, 8, 1), encoding_format='png'),
            'label': tfds.features.ClassLabel(num_classes=10),
        }
        return tfds.core.DatasetInfo(
            builder=self,
            description='Scans of handwritten digits, as bundled with scikit-learn.',
            features=tfds.features.FeaturesDict(features),
            supervised_keys=('image', 'label'),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Iterator]:
        del dl_manager  # Nothing is downloaded.
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        classes = load_digits().target
        mixed_train, mixed_test = train_test_split(
            range(len(classes)), test_size=_MIXED_TEST, random_state=0, stratify=classes
        )
        splits = {
            'train': _TRAIN,
            'test': _TEST,
            'mixed_train': sorted(mixed_train),
            'mixed_test': sorted(mixed_test),
        }
        return {name: self._generate_examples(scans) for name, scans in splits.items()}

    def _generate_examples(self, scans: Iterable[int]) -> Iterator[tuple[int, dict]]:
        from sklearn.datasets import load_digits

        data = load_digits()
        for scan in scans:
            yield (
                scan,
                {
                    'image': to_grey(data.images[scan])[:, :, None],
                    'label': int(data.target[scan]),
                },
            )


def to_grey(scan: np.ndarray) -> np.ndarray:
    """Stretches the values 0 to 16 of a scan to the grey levels 0 to 255, uint8."""
    return np.round(scan * (255 / _BLACK)).astype(np.uint8)
