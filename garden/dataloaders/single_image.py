"""The pixels of one picture, with its gradient and Laplacian."""

import functools

import numpy as np
import tensorflow as tf
from scipy import ndimage

from garden.core.errors import UserError
from garden.core.registry import register
from garden.dataloaders.fields import IMAGE
from garden.dataloaders.signal import Signal, Table, coordinates
from garden.ops import image as ops
from garden.sources.base import Source, Spec

_SOBEL = 8  # How many times the derivative by a pixel SciPy's Sobel filter is.


@register('dataloaders', 'single_image')
class SingleImage(Signal):
    """The central square of a picture as points: coordinates (row, column) and values in [-1, 1].

    Of every pixel there are also the gradient, by Sobel's filters, and the Laplacian, by the
    five-point stencil, both per unit of the coordinates, so that the field whose derivatives they
    are is the picture itself.

    Args:
      source: pictures as `dataloaders.images` reads them; the first one is taken.
      image_size: rows and columns, resized with antialiasing.
      channels: 3 for RGB, 1 for grey.
      batch_size: see the base class.
      eval_batch_size: see the base class.
      blend: a second source: every value, gradient and Laplacian is the mean of the two pictures'.
      known: the part of the pixels that is given, drawn at random; None for all.
      known_seed: of that draw.

    Raises:
      UserError: for other channels than 1 or 3, fewer than 2 pixels, or a part of the pixels that
        is not between 0 and 1.
    """

    dimensions = 2

    def __init__(
        self,
        source: Source,
        image_size: int,
        channels: int = 1,
        batch_size: int | None = None,
        eval_batch_size: int = 16384,
        blend: Source | None = None,
        known: float | None = None,
        known_seed: int = 0,
    ):
        super().__init__(source, batch_size, eval_batch_size)
        if channels not in (1, 3):
            raise UserError(f'{self}: an image has 1 or 3 channels, not {channels}.')
        if image_size < 2:
            raise UserError(f'{self}: image_size is at least 2; {image_size} is not.')
        if known is not None and not 0 < known < 1:
            raise UserError(f'{self}.known lies between 0 and 1; {known} does not.')
        self.channels = channels
        self._size = image_size
        self._blend = blend
        self._known = known
        self._known_seed = known_seed

    @property
    def raw_spec(self) -> Spec:
        """See the base class."""
        return {'image': IMAGE}

    @property
    def shape(self) -> tuple[int, ...]:
        """See the base class."""
        return (self._size, self._size)

    @functools.cached_property
    def grid(self) -> Table:
        """See the base class."""
        image = self._square(self._opened)
        if self._blend is not None:
            # The filters are linear: those of the mean are the mean of both pictures'.
            self._blend.require(self.raw_spec, str(self))
            image = (image + self._square(self._blend)) / 2
        per_pixel = (self._size - 1) / 2
        channels = np.moveaxis(image, -1, 0)  # SciPy's Sobel filter would smooth across them.
        slopes = [[ndimage.sobel(channel, axis) for axis in (0, 1)] for channel in channels]
        second = [ndimage.laplace(channel) for channel in channels]
        table = {
            'coordinates': coordinates(self.shape),
            'value': image.reshape(-1, self.channels),
            'gradient': _by_pixel(np.array(slopes)) * (per_pixel / _SOBEL),
            'laplacian': _by_pixel(np.array(second)) * per_pixel**2,
        }
        if self._known is not None:
            table['known'] = self._draw_known(self._known)
        return table

    def _square(self, source: Source) -> np.ndarray:
        """Returns the first picture of a source, float32 [size, size, channels] in [-1, 1]."""
        pixels = ops.pixels(tf.constant(self._example(source)['image']))
        resized = ops.resize_shorter_side(pixels, self._size, antialias=True)
        image = ops.center_crop(resized, self._size)
        if self.channels == 1:
            image = tf.image.rgb_to_grayscale(image)
        return image.numpy() / 127.5 - 1

    def _draw_known(self, part: float) -> np.ndarray:
        """Returns 1.0 for the given part of the pixels, an exact number of them, else 0.0."""
        count = self._size**2
        known = np.zeros([count, 1], np.float32)
        order = np.random.default_rng(self._known_seed).permutation(count)
        known[order[: round(part * count)]] = 1
        return known


def _by_pixel(planes: np.ndarray) -> np.ndarray:
    """Returns rows [h * w, ...] of planes [..., h, w]."""
    return np.moveaxis(planes.reshape(*planes.shape[:-2], -1), -1, 0)
