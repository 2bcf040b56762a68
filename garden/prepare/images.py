"""Pictures in class folders, in folders or tar archives: the preparer of any such data set."""

import abc
import functools
import io
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register
from garden.prepare.base import Example, Item, Preparer, Survey, Unreadable
from garden.prepare.stored import Stored, find

_FORMATS = {'JPEG': ('.jpg', '.jpeg'), 'PNG': ('.png',), 'BMP': ('.bmp',), 'GIF': ('.gif',)}
_PICTURES = tuple(ending for endings in _FORMATS.values() for ending in endings)


class ClassifiedImages(Preparer):
    """A data set of pictures with one class each: features 'image', 'label' and 'file_name'.

    Args:
      source: see the base class.
      labels: a file of lines 'file name, class' for pictures that lie in no class folder; '' where
        there is none.
    """

    def __init__(self, source: str, labels: str = ''):
        super().__init__(source)
        self._labels = read_labels(labels) if labels else {}

    @property
    @abc.abstractmethod
    def classes(self) -> Sequence[str]:
        """The names of the classes; the place in it is the label."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """See the base class."""
        return {'classes': list(self.classes)}

    def info(self) -> Mapping[str, Any]:
        """See the base class."""
        import tensorflow_datasets as tfds

        features = tfds.features.FeaturesDict(
            {
                'image': tfds.features.Image(),
                'label': tfds.features.ClassLabel(names=self.classes),
                'file_name': tfds.features.Text(),
            }
        )
        return {'features': features, 'supervised_keys': ('image', 'label')}

    def survey(self, split: str) -> Survey:
        """See the base class."""
        place = self.place(split)
        files, groups = find(place)
        pictures = [file for file in files if file.name.lower().endswith(_PICTURES)]
        if not pictures:
            raise UserError(
                f'{place} holds no pictures: {", ".join(_PICTURES)} files are looked for, in one '
                'folder for each class.'
            )
        known = {name: label for label, name in enumerate(self.classes)}
        items = [
            Item(self.name_of(file), file, known[self._class(file, place, known)])
            for file in pictures
        ]
        said = []
        if len(files) > len(pictures):
            other = next(f.name for f in files if not f.name.lower().endswith(_PICTURES))
            said.append(
                f'{split}: {len(files) - len(pictures):,} files are no pictures by their names and '
                f'are left out: {other}, ...'
            )
        empty = sorted(groups - {file.name.split('/')[0] for file in pictures})
        said += [f'{split}: the folder {name} holds no picture.' for name in empty]
        return Survey(items, said)

    def example(self, item: Item, data: bytes) -> Example:
        """See the base class."""
        return {'image': data, 'label': item.facts, 'file_name': item.name.encode()}

    @staticmethod
    def examine(example: Example, facts: Mapping[str, Any]) -> tuple[str, str]:
        """See the base class."""
        try:
            image, label, name = (example[key] for key in ('image', 'label', 'file_name'))
        except KeyError as error:
            raise Unreadable(f'has no feature {error}') from error
        if not (isinstance(image, bytes) and isinstance(label, int) and isinstance(name, bytes)):
            raise Unreadable('has features of other types')
        if not 0 <= label < len(facts['classes']):
            raise Unreadable(f'has the label {label}, of {len(facts["classes"])} classes')
        return name.decode(), _remark(image, name.decode())

    @staticmethod
    def decode(example: Example) -> None:
        """See the base class."""
        import tensorflow as tf

        try:
            tf.io.decode_image(example['image'], channels=3, expand_animations=False)
        except tf.errors.OpError as error:
            raise Unreadable(f'cannot be decoded: {error.message}') from error

    def name_of(self, file: Stored) -> str:
        """Returns the name of the example that a file becomes."""
        return file.name

    def _class(self, file: Stored, place: str, known: Iterable[str]) -> str:
        folder, *rest = file.name.split('/')
        name = folder if rest else self._listed(file, place)
        if name not in known:
            raise UserError(
                f'{place}: {file.name} is of the class {name!r}, which is not known.'
                f'{did_you_mean(name, known)}'
            )
        return name

    def _listed(self, file: Stored, place: str) -> str:
        name = os.path.basename(file.name)
        if name in self._labels:
            return self._labels[name]
        where = 'which --labels does not list' if self._labels else 'and no --labels=FILE is given'
        raise UserError(f'{place}: {name} lies in no class folder, {where}.')


@register('preparers', 'image_folder')
class ImageFolder(ClassifiedImages):
    """Any pictures in class folders: SOURCE/train/CLASS/*, SOURCE/val/CLASS/*, or archives.

    The archives are SOURCE/train.tar and the like, of class folders or of an archive for each.

    The classes are the names of the training split's folders in alphabetical order, as in
    sources.image_folder.

    Args:
      source: the folder that holds the splits, or the folder or archive of a single one.
      name: the name of the data set; without it that of the source.
      labels: a file of lines 'file name, class' for pictures that lie in no class folder.
    """

    places: ClassVar = {
        'train': ('train', 'train.tar'),
        'validation': ('validation', 'validation.tar', 'val', 'val.tar'),
        'test': ('test', 'test.tar'),
    }

    def __init__(self, source: str, name: str = '', labels: str = ''):
        super().__init__(source, labels)
        stem = os.path.basename(os.path.abspath(self.source)).split('.')[0]
        self._name = name or re.sub(r'\W+', '_', stem).strip('_').lower()
        if not re.fullmatch(r'[a-z]\w*', self._name, re.ASCII):
            raise UserError(
                f'{self._name!r} cannot be the name of a data set: --name=NAME gives one, of small '
                'letters, digits and _.'
            )

    @property
    def dataset(self) -> tuple[str, str]:
        """See the base class."""
        return self._name, '1.0.0'

    @functools.cached_property
    def classes(self) -> Sequence[str]:
        """See the base class."""
        named = self.splits()
        place = self.place(named[0]) if named else self.source
        return sorted(find(place)[1] | set(self._labels.values()))


def read_labels(path: str) -> Mapping[str, str]:
    """Returns the class of each file name, from a file of lines 'file name, class'.

    Raises:
      UserError: for a file that cannot be read and a line of another form.
    """
    try:
        with open(os.path.expanduser(path), encoding='utf-8') as file:
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'--labels={path} cannot be read: {error}.') from error
    found: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.replace(',', ' ').split()
        if not words:
            continue
        if len(words) != 2:
            hint = (
                " Numbers alone, as in the devkit's ground truth, are ILSVRC's own ids, which are "
                'not in the order of the labels.'
                if len(words) == 1 and words[0].isdigit()
                else ''
            )
            raise UserError(f"{path}, line {number}: 'FILE_NAME CLASS' is expected.{hint}")
        if found.setdefault(words[0], words[1]) != words[1]:
            raise UserError(f'{path}, line {number}: {words[0]} has two classes.')
    return found


def _remark(image: bytes, name: str) -> str:
    """Says what is unusual about a picture, from its header.

    Raises:
      Unreadable: if it is none.
    """
    if not image:
        raise Unreadable('is empty')
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(image), formats=list(_FORMATS)) as opened:
                form, mode = str(opened.format), opened.mode
    except Image.DecompressionBombError as error:
        raise Unreadable('has more pixels than can be decoded') from error
    except (OSError, SyntaxError, ValueError, IndexError, OverflowError) as error:
        raise Unreadable(f'is no {", ".join(_FORMATS)} picture') from error
    remarks = []
    ending = os.path.splitext(name)[1]
    if ending.lower() not in _FORMATS[form]:
        remarks.append(f'{form} named {ending}')
    if mode == 'CMYK':
        remarks.append('CMYK')
    return ', '.join(remarks)
