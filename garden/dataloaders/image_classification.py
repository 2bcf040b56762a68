"""Pictures and their classes."""

import functools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import tensorflow as tf

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register
from garden.dataloaders.base import Batch, Dataloader
from garden.dataloaders.fields import IMAGE, LABEL, class_count, in_range
from garden.ops import image as ops
from garden.ops.image import ImageOp
from garden.sources.base import Example, Source, Spec

_RESAMPLE = ('bilinear', 'bicubic')
_CROPS = ('inception', 'affine', 'center')


@register('dataloaders', 'image_classification')
class ImageClassification(Dataloader):
    """Batches of normalised images and their labels.

    A batch holds 'image', float32 [batch, image_size, image_size, 3], RGB, 'label', int32 [batch],
    and in evaluation 'mask' (see the base class). In training an image is cropped, flipped,
    augmented, lit and normalised, in this order; in evaluation its shorter side is resized to
    `eval_resize`, the centre is cropped, and it is normalised. With `on_device` it travels to the
    device before it is normalised, as uint8: see `unpack`.

    Args:
      source: raw examples with 'image', an encoded picture or uint8 [height, width, 1 or 3], and
        'label', an integer.
      batch_size: the global batch, over all replicas.
      training: see the base class.
      image_size: height and width of the images, in pixels.
      eval_resize: length of the shorter side from which the centre is cropped; None for image_size.
      crop: how a training image is cut out: 'inception' (a random part of the area and aspect
        ratio), 'affine' (for small scans: a random shift, zoom and turn of the whole), or 'center'
        (as in evaluation, nothing random).
      area: 'inception': bounds of the part of the area.
      aspect: 'inception': bounds of the aspect ratio.
      log_aspect: 'inception': whether the logarithm of the aspect ratio is drawn.
      shift: 'affine': bound of the shift, as a part of the side.
      zoom: 'affine': the scale lies within 1 - zoom and 1 + zoom.
      rotation: 'affine': bound of the angle, in degrees.
      flip: whether training images are mirrored with probability 1/2.
      augment: functions of (image, seed) that training images pass through in turn: float32, values
        0 to 1, shape [image_size, image_size, 3].
      lighting: standard deviation of AlexNet's colour shift in training; 0 for none.
      resample: how images are resized, 'bilinear' or 'bicubic'; an affine crop is bilinear.
      antialias: whether the resizing is antialiased, as by Pillow.
      on_device: whether images are normalised on the device. It saves the host a little work and
        three quarters of the bytes between the two, and rounds pixels to whole levels.
      mean: of each channel, for values from 0 to 1.
      std: of each channel.
      shuffle: see the base class.
      cache: see the base class.
      parallel_calls: see the base class.
      prefetch: see the base class.
      bad_examples: see the base class; a picture that cannot be decoded is one, and a label that is
        not from 0 to num_classes - 1.
      num_classes: the number of classes; None for as many as the source has names for. Where
        neither is known, only a label below 0 is out of range.
      repeats: see the base class.

    Raises:
      UserError: for an unknown crop or resample, or an eval_resize smaller than image_size.
    """

    raw_spec: ClassVar[Spec] = {'image': IMAGE, 'label': LABEL}

    def __init__(
        self,
        source: Source,
        batch_size: int,
        training: bool,
        image_size: int = 224,
        eval_resize: int | None = None,
        crop: str = 'inception',
        area: tuple[float, float] = (0.08, 1.0),
        aspect: tuple[float, float] = (3 / 4, 4 / 3),
        log_aspect: bool = False,
        shift: float = 0.0,
        zoom: float = 0.0,
        rotation: float = 0.0,
        flip: bool = True,
        augment: Sequence[ImageOp] = (),
        lighting: float = 0.0,
        resample: str = 'bilinear',
        antialias: bool = False,
        on_device: bool = False,
        mean: Sequence[float] = (0.485, 0.456, 0.406),
        std: Sequence[float] = (0.229, 0.224, 0.225),
        shuffle: bool = True,
        cache: bool = False,
        parallel_calls: int = tf.data.AUTOTUNE,
        prefetch: int = tf.data.AUTOTUNE,
        bad_examples: int | None = None,
        num_classes: int | None = None,
        repeats: int = 1,
    ):
        super().__init__(
            source,
            batch_size,
            training,
            shuffle,
            cache,
            parallel_calls,
            prefetch,
            bad_examples,
            repeats,
        )
        if image_size < 1:
            raise UserError(f'{self}: image_size is at least 1; {image_size} is not.')
        for name, value, known in (('crop', crop, _CROPS), ('resample', resample, _RESAMPLE)):
            if value not in known:
                raise UserError(
                    f'{self}: there is no {name} {value!r}, only {", ".join(known)}.'
                    f'{did_you_mean(value, known)}'
                )
        self.image_size = image_size
        self._resize = image_size if eval_resize is None else eval_resize
        if self._resize < image_size:
            raise UserError(
                f'{self}: eval_resize ({eval_resize}) is smaller than image_size ({image_size}), '
                'which is cropped out of it.'
            )
        self._crop = crop
        self._window = functools.partial(
            ops.inception_window, area=area, aspect=aspect, log_aspect=log_aspect
        )
        self._shift, self._zoom, self._rotation = shift, zoom, rotation
        self._flip = flip
        self._augment = augment
        self._lighting = lighting
        self._resampling = (resample, antialias)
        self._on_device = on_device
        self._mean = mean
        self._std = std
        self._num_classes = num_classes

    def parse(self, example: Example, seed: tf.Tensor) -> Batch:
        """See the base class."""
        parsed = {'label': in_range(example['label'], self.num_classes)}
        if self.training:
            parsed |= self._augmented(example['image'], seed)
        else:
            parsed['image'] = self._central(example['image'])
        return self._packed(parsed)

    def read(self, stored: tf.Tensor) -> tf.Tensor:
        """Returns what an evaluation makes of one picture: float32 [size, size, 3], normalised.

        Args:
          stored: as 'image' of an example: the bytes of a picture, or its pixels.
        """
        return self.unpack(self._packed({'image': self._central(stored)}))['image']

    def _packed(self, parsed: Batch) -> Batch:
        if not self._on_device:
            return self._normalized(parsed)
        return {**parsed, 'image': tf.saturate_cast(tf.round(parsed['image']), tf.uint8)}

    def unpack(self, batch: Batch) -> Batch:
        """See the base class; normalises images that came as uint8."""
        return self._normalized(batch) if self._on_device else batch

    def _normalized(self, batch: Batch) -> Batch:
        batch = {**batch}
        mean = tf.constant(self._mean, tf.float32)
        if 'light' in batch:  # To add a colour is to subtract another mean.
            mean -= batch.pop('light')
        return {**batch, 'image': ops.normalize(batch['image'], mean, self._std)}

    def denormalize(self, images: np.ndarray) -> np.ndarray:
        """Returns the images of a batch as they look, uint8; lit ones are clipped."""
        values = np.asarray(images) * np.array(self._std) + np.array(self._mean)
        return np.clip(np.round(values * 255), 0, 255).astype(np.uint8)

    @property
    def num_classes(self) -> int | None:
        """The number of classes, where it is known."""
        return class_count(self._num_classes, self.class_names)

    def _augmented(self, stored: tf.Tensor, seed: tf.Tensor) -> Batch:
        """Returns an image, values 0 to 255, and the colour of the light that falls on it."""
        crop_seed, flip_seed, light_seed, *seeds = ops.split(seed, 3 + len(self._augment))
        image = self._cropped(stored, crop_seed)
        if self._flip:
            image = ops.random_flip(image, flip_seed)
        if self._augment:
            image /= 255
            for augment, own_seed in zip(self._augment, seeds, strict=True):
                image = augment(image, own_seed)
            image *= 255
        if not self._lighting:
            return {'image': image}
        return {'image': image, 'light': ops.pca_lighting(light_seed, self._lighting)}

    def _cropped(self, stored: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        size = self.image_size
        if self._crop == 'center':
            return self._central(stored)
        if self._crop == 'affine':
            return ops.random_affine(
                ops.pixels(stored), seed, size, self._shift, self._zoom, self._rotation
            )

        def window(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
            return self._window(height, width, seed)

        return ops.resize(ops.pixels(stored, window), size, size, *self._resampling)

    def _central(self, stored: tf.Tensor) -> tf.Tensor:
        whole = ops.resize_shorter_side(ops.pixels(stored), self._resize, *self._resampling)
        return ops.center_crop(whole, self.image_size)
