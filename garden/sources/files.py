"""Pictures in folders, one folder for each class."""

import functools
import os
from collections.abc import Mapping, Sequence

import tensorflow as tf

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register
from garden.sources.base import Example, Source, missing

PICTURES = ('.jpg', '.jpeg', '.png', '.bmp', '.gif')


@register('sources', 'image_folder')
class ImageFolder(Source):
    """The pictures below root/split/<class>/, in sub-folders too.

    The classes are the folders' names in alphabetical order, the features 'image' (the bytes of the
    file) and 'label' (int64). The folders are listed when the first example is needed.

    Args:
      root: the folder, local or remote (gs://...).
      split: the folder in it, e.g. 'train'; '' where root holds the classes itself.
      offline_sibling: the experiment to name to a user who has no such folder.
    """

    def __init__(self, root: str, split: str = 'train', offline_sibling: str | None = None):
        self._folder = os.path.join(os.path.expanduser(root), split).rstrip('/')
        self._offline_sibling = offline_sibling

    @property
    def features(self) -> Mapping[str, tf.TensorSpec]:
        """See the base class."""
        return {'image': tf.TensorSpec([], tf.string), 'label': tf.TensorSpec([], tf.int64)}

    @property
    def class_names(self) -> Sequence[str]:
        """The names of the class folders."""
        return self._files[0]

    def __len__(self) -> int:
        return len(self._files[2])

    def load(self, key: tf.Tensor) -> Example:
        """See the base class."""
        _, paths, labels = self._files
        return {'image': tf.io.read_file(tf.gather(paths, key)), 'label': tf.gather(labels, key)}

    def place(self, index: int) -> str:
        """The path of the picture."""
        return self._files[1][index].numpy().decode()

    def __str__(self) -> str:
        return f'The image folder {self._folder}'

    @functools.cached_property
    def _files(self) -> tuple[Sequence[str], tf.Tensor, tf.Tensor]:
        """The class names, and the path and label of each picture."""
        if not tf.io.gfile.isdir(self._folder):
            raise self._missing()
        entries = sorted(name.rstrip('/') for name in tf.io.gfile.listdir(self._folder))
        names = [n for n in entries if tf.io.gfile.isdir(os.path.join(self._folder, n))]
        paths, labels = [], []
        for label, name in enumerate(names):
            found = _pictures(os.path.join(self._folder, name))
            paths += found
            labels += [label] * len(found)
        if not paths:
            raise UserError(
                f'{self} holds no pictures: they are looked for in one folder for each class '
                f'({", ".join(names[:3]) or "there is none"}), as {", ".join(PICTURES)} files.'
            )
        with tf.init_scope(), tf.device('CPU'):
            return names, tf.constant(paths), tf.constant(labels, tf.int64)

    def _missing(self) -> UserError:
        remedy = 'It holds one folder of pictures for each class.'
        root, split = os.path.split(self._folder)
        if tf.io.gfile.isdir(root):
            remedy += did_you_mean(split, (n.rstrip('/') for n in tf.io.gfile.listdir(root)))
        return missing(self, self._folder, remedy, self._offline_sibling)


def _pictures(folder: str) -> list[str]:
    """Returns the pictures below a folder, in alphabetical order."""
    return sorted(
        os.path.join(where, name)
        for where, _, names in tf.io.gfile.walk(folder)
        for name in names
        if name.lower().endswith(PICTURES)
    )
