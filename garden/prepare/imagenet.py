"""ImageNet-1k (ILSVRC 2012), from the archives of image-net.org or from class folders."""

import functools
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from garden.core.errors import UserError
from garden.core.registry import register
from garden.prepare.base import Survey
from garden.prepare.images import ClassifiedImages
from garden.prepare.stored import Stored

# Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge, 2015, table 2.
_SIZES = {'train': 1_281_167, 'validation': 50_000}


@register('preparers', 'imagenet2012')
class ImageNet(ClassifiedImages):
    """ImageNet-1k, from ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar or class folders.

    The classes are the 1,000 WordNet ids in alphabetical order, labels 0 to 999. Validation
    pictures that lie in no class folder get the labels that tensorflow-datasets brings along. What
    is written is what TFDS calls imagenet2012, but for the bytes of 23 pictures, which TFDS
    converts and this leaves as they are.

    Args:
      source: the folder that holds the archives, or train/ and val/ with a folder for each class;
        or the archive or folder of a single split.
      labels: a file of lines 'file name, class' for validation pictures that lie in no class
        folder, where they have other names than the original ones.
    """

    places: ClassVar = {
        'train': ('ILSVRC2012_img_train.tar', 'train', 'ILSVRC2012_img_train'),
        'validation': ('ILSVRC2012_img_val.tar', 'val', 'validation', 'ILSVRC2012_img_val'),
    }

    def __init__(self, source: str, labels: str = ''):
        super().__init__(source, labels)
        self._labels = {**self._truth, **self._labels}

    @property
    def dataset(self) -> tuple[str, str]:
        """See the base class."""
        return 'imagenet2012', '5.1.0'

    @functools.cached_property
    def classes(self) -> Sequence[str]:
        """See the base class."""
        return _bundled('labels.txt')

    def info(self) -> Mapping[str, Any]:
        """See the base class."""
        return {**super().info(), 'homepage': 'https://image-net.org/'}

    def survey(self, split: str) -> Survey:
        """See the base class."""
        found = super().survey(split)
        said = list(found.warnings)
        absent = len(self.classes) - len({item.facts for item in found.items})
        if absent:
            said.append(f'{split}: {absent:,} of the 1,000 classes have no picture.')
        count, whole = len(found.items), _SIZES[split]
        if count != whole:
            said.append(f'{split}: {count:,} pictures; ILSVRC 2012 has {whole:,}.')
        return Survey(found.items, said)

    def name_of(self, file: Stored) -> str:
        """Returns the name without folder, as TFDS has it."""
        return os.path.basename(file.name)

    @functools.cached_property
    def _truth(self) -> Mapping[str, str]:
        """The WordNet id of each validation picture."""
        ids = _bundled('validation_labels.txt')
        return {f'ILSVRC2012_val_{n:08}.JPEG': wnid for n, wnid in enumerate(ids, 1)}

    def _class(self, file: Stored, place: str, known: Iterable[str]) -> str:
        name = super()._class(file, place, known)
        truth = self._labels.get(os.path.basename(file.name), name)
        if truth != name:
            raise UserError(
                f'{place}: {file.name} lies in the folder of another class; its own is {truth}. '
                'Sort the validation pictures anew, or give the archive.'
            )
        return name


def _bundled(name: str) -> Sequence[str]:
    """Returns the lines of a file that comes with tensorflow-datasets."""
    import tensorflow_datasets as tfds

    return tfds.core.tfds_path(f'datasets/imagenet2012/{name}').read_text().split()
