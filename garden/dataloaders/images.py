"""Pictures without a task of their own: what autoencoders and generators learn from."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register
from garden.dataloaders.base import Batch, Dataloader
from garden.dataloaders.fields import IMAGE, LABEL, class_count, in_range
from garden.ops import image as ops
from garden.ops.image import ImageOp
from garden.sources.base import Example, Source, Spec

_CHANNELS = (1, 3)
_FITS = ('stretch', 'crop')


@register('dataloaders', 'images')
class Images(Dataloader):
    """Batches of images in a range of values, with their labels if asked.

    A batch holds 'image', float32 [batch, image_size, image_size, channels], with `labels` also
    'label', int32 [batch], and in evaluation 'mask' (see the base class).

    Args:
      source: raw examples with 'image', an encoded picture or uint8 [height, width, 1 or 3], and
        with `labels` 'label', an integer.
      batch_size: the global batch, over all replicas.
      training: see the base class.
      image_size: height and width of the images, in pixels.
      channels: 3 for RGB, 1 for grey: the luma 0.299 R + 0.587 G + 0.114 B.
      fit: how a picture is made square: 'stretch' resizes both sides to `load_size`, 'crop' the
        shorter one, and cuts out the centre.
      load_size: the side from which image_size is cut, in training anywhere, in evaluation from the
        centre; None for image_size.
      flip: whether training images are mirrored with probability 1/2.
      transform: functions of (image, seed) that images pass through, in evaluation too, e.g.
        `augmentations.tint`: float32, values 0 to 1, shape [image_size, image_size, 3].
      low: the value of black.
      high: the value of white.
      antialias: whether the resizing is antialiased, as by Pillow.
      labels: whether batches hold labels.
      shuffle: see the base class.
      cache: see the base class.
      parallel_calls: see the base class.
      prefetch: see the base class.
      bad_examples: see the base class; a picture that cannot be decoded is one, and a label that is
        not from 0 to num_classes - 1.
      num_classes: the number of classes; None for as many as the source has names for.

    Raises:
      UserError: for an unknown fit, other channels than 1 or 3, an empty range of values, or a
        load_size smaller than image_size.
    """

    def __init__(
        self,
        source: Source,
        batch_size: int,
        training: bool,
        image_size: int,
        channels: int = 3,
        fit: str = 'stretch',
        load_size: int | None = None,
        flip: bool = False,
        low: float = 0.0,
        high: float = 1.0,
        antialias: bool = True,
        labels: bool = False,
        shuffle: bool = True,
        cache: bool = False,
        parallel_calls: int = tf.data.AUTOTUNE,
        prefetch: int = tf.data.AUTOTUNE,
        bad_examples: int | None = None,
        num_classes: int | None = None,
        transform: Sequence[ImageOp] = (),
    ):
        super().__init__(
            source, batch_size, training, shuffle, cache, parallel_calls, prefetch, bad_examples
        )
        if fit not in _FITS:
            raise UserError(
                f'{self}: there is no fit {fit!r}, only {", ".join(_FITS)}.'
                f'{did_you_mean(fit, _FITS)}'
            )
        if channels not in _CHANNELS:
            raise UserError(f'{self}: an image has 1 or 3 channels, not {channels}.')
        if low >= high:
            raise UserError(f'{self}: low ({low}) is to be less than high ({high}).')
        self.image_size = image_size
        self.channels = channels
        self._load_size = image_size if load_size is None else load_size
        if not 1 <= image_size <= self._load_size:
            raise UserError(
                f'{self}: image_size ({image_size}) is at least 1 and at most load_size '
                f'({self._load_size}), from which it is cut.'
            )
        self._fit = fit
        self._flip = flip
        self._low, self._high = low, high
        self._antialias = antialias
        self._labels = labels
        self._num_classes = num_classes
        self._transform = transform

    @property
    def raw_spec(self) -> Spec:
        """See the base class."""
        return {'image': IMAGE} | ({'label': LABEL} if self._labels else {})

    @property
    def num_classes(self) -> int | None:
        """The number of classes, where it is known."""
        return class_count(self._num_classes, self.class_names)

    def parse(self, example: Example, seed: tf.Tensor) -> Batch:
        """See the base class."""
        image = self._square(ops.pixels(example['image']))
        crop_seed, flip_seed, *seeds = ops.split(seed, 2 + len(self._transform))
        if self.training:
            image = ops.random_crop(image, crop_seed, self.image_size)
            image = ops.random_flip(image, flip_seed) if self._flip else image
        else:
            image = ops.center_crop(image, self.image_size)
        for transform, own_seed in zip(self._transform, seeds, strict=True):
            image = 255 * transform(image / 255, own_seed)
        parsed = {'image': self._ranged(image)}
        if self._labels:
            parsed['label'] = in_range(example['label'], self.num_classes)
        return parsed

    def read(self, stored: tf.Tensor) -> tf.Tensor:
        """Returns what an evaluation makes of one picture, but for `transform`.

        Args:
          stored: as 'image' of an example: the bytes of a picture, or its pixels.

        Returns:
          float32 [image_size, image_size, channels].
        """
        return self._ranged(ops.center_crop(self._square(ops.pixels(stored)), self.image_size))

    def denormalize(self, images: np.ndarray) -> np.ndarray:
        """Returns images as they look: uint8, of the same shape."""
        values = (np.asarray(images, np.float64) - self._low) / (self._high - self._low)
        return np.clip(np.round(values * 255), 0, 255).astype(np.uint8)

    def looks(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images as they look, in graph code and single precision."""
        values = (tf.cast(images, tf.float32) - self._low) / (self._high - self._low)
        return tf.saturate_cast(tf.round(values * 255), tf.uint8)

    def _ranged(self, image: tf.Tensor) -> tf.Tensor:
        """Brings an image of values 0 to 255, RGB, to its channels and range."""
        if self.channels == 1:
            image = ops.grey(image)
        return image * ((self._high - self._low) / 255) + self._low

    def _square(self, image: tf.Tensor) -> tf.Tensor:
        """Returns float32, 0 to 255; the shorter side is load_size, or both are."""
        size = self._load_size
        if self._fit == 'crop':
            return ops.resize_shorter_side(image, size, antialias=self._antialias)
        return ops.resize(image, size, size, antialias=self._antialias)
