"""Single signals: a photograph of scikit-learn's, and pictures, sounds and surfaces in files."""

import abc
import functools
import os
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from scipy.io import wavfile

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import gin_name, register
from garden.sources.base import Example, Source
from garden.sources.memory import Arrays

_PHOTOGRAPHS = ('china', 'flower')


class Lazy(Source):
    """Arrays whose first axis is the example, read or computed when they are first needed."""

    @abc.abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Returns the features by name, all of one length."""

    @property
    def features(self) -> Mapping[str, tf.TensorSpec]:
        """See the base class."""
        return self._held.features

    def __len__(self) -> int:
        return len(self._held)

    def load(self, key: tf.Tensor) -> Example:
        """See the base class."""
        return self._held.load(key)

    @functools.cached_property
    def _held(self) -> Arrays:
        with tf.init_scope():
            return Arrays(self.arrays())


@register('sources', 'photograph')
class Photograph(Lazy):
    """A photograph that scikit-learn brings along: 'image', uint8 [427, 640, 3].

    Args:
      name: 'china', a temple, by danielbuechele, or 'flower', a dahlia, by vultilion; both were
        published on Flickr under CC BY 2.0.

    Raises:
      UserError: for another name.
    """

    def __init__(self, name: str = 'china'):
        if name not in _PHOTOGRAPHS:
            raise UserError(
                f'sources.photograph: there is no {name!r}, only {", ".join(_PHOTOGRAPHS)}.'
                f'{did_you_mean(name, _PHOTOGRAPHS)}'
            )
        self._name = name

    def arrays(self) -> Mapping[str, np.ndarray]:
        """See the base class."""
        from sklearn.datasets import load_sample_image

        return {'image': load_sample_image(f'{self._name}.jpg')[None]}

    def __str__(self) -> str:
        return f'The photograph {self._name}.jpg of scikit-learn'


class File(Lazy):
    """What one local file holds.

    Args:
      path: the file.
    """

    def __init__(self, path: str | None = None):
        self._name = gin_name(self)
        self._path = path

    def arrays(self) -> Mapping[str, np.ndarray]:
        """See the base class.

        Raises:
          UserError: if there is no path, no such file, or something else in it.
        """
        if not self._path:
            raise UserError(f'{self} needs a file: --gin="{self}.path = \'FILE\'".')
        try:
            return self.read(os.path.expanduser(self._path))
        except (OSError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(f'{self}.path: {self._path} cannot be read: {reason}') from error

    @abc.abstractmethod
    def read(self, path: str) -> Mapping[str, np.ndarray]:
        """Reads the file; raises OSError or ValueError where it is not what it should be."""

    def __str__(self) -> str:
        return f'{self._name}'


@register('sources', 'picture_file')
class PictureFile(File):
    """A picture in a file of any format that Pillow reads: 'image', uint8 [height, width, 3].

    Args:
      path: the file.
    """

    def read(self, path: str) -> Mapping[str, np.ndarray]:
        """See the base class."""
        from PIL import Image

        with Image.open(path) as picture:
            return {'image': np.asarray(picture.convert('RGB'))[None]}


@register('sources', 'sound_file')
class SoundFile(File):
    """A sound in a WAV file: 'audio', float32 [samples], the mean of its channels.

    Args:
      path: the file.
    """

    def read(self, path: str) -> Mapping[str, np.ndarray]:
        """See the base class."""
        _, sound = wavfile.read(path)
        silence = 128 if sound.dtype == np.uint8 else 0
        channels = sound.reshape(len(sound), -1).astype(np.float32) - silence
        return {'audio': channels.mean(axis=1)[None]}


@register('sources', 'point_cloud')
class PointCloud(File):
    """Points of a surface in a text file, x y z and the normal's x y z in each line.

    The features are 'point' and 'normal', float32 [3].

    Args:
      path: the file.
    """

    def read(self, path: str) -> Mapping[str, np.ndarray]:
        """See the base class."""
        rows = np.loadtxt(path, np.float32, ndmin=2)
        if rows.shape[1] < 6:
            raise ValueError(
                f'a line has {rows.shape[1]} numbers, not the six of point and normal.'
            )
        return {'point': rows[:, :3], 'normal': rows[:, 3:6]}
