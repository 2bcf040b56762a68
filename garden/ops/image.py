"""Operations on one image, in graph code: the random ones are functions of (image, seed).

An image is a tensor [height, width, 3], RGB: uint8 as decoded, float32 from 0 to 255 as resized,
float32 from 0 to 1 as augmented. A seed is int64[2] or int32[2]; two operations on one image take
two seeds (`split`), or they would draw the same numbers.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

# (height, width) of an image -> (top, left, height, width) of a window in it, all int32.
Window = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# (image, seed) -> image, both float32 from 0 to 1.
ImageOp = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]

_LUMA = (0.299, 0.587, 0.114)

# Principal components of ImageNet's RGB values, one eigenvector a column (Krizhevsky et al.,
# ImageNet Classification with Deep Convolutional Neural Networks, 2012, section 4.1; values as in
# common use).
_EIGENVALUES = (0.2175, 0.0188, 0.0045)
_EIGENVECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


def split(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    """Returns `count` independent seeds."""
    return tf.unstack(tf.random.experimental.stateless_split(seed, count))


def pixels(image: tf.Tensor, window: Window | None = None) -> tf.Tensor:
    """Returns an image, or a window of it, as uint8 RGB [height, width, 3].

    Of a JPEG only the window is decoded (its outermost columns may differ by some levels). Grey and
    CMYK JPEGs become RGB, of an animated GIF the first frame counts, an alpha channel is dropped.

    Args:
      image: the bytes of a JPEG, PNG, BMP or GIF file, whatever its name says; or pixels, uint8, of
        shape [height, width, 1 or 3].
      window: chooses the window when the height and width (int32) are known, as (top, left, height,
        width), int32[4]; None for all.
    """
    if image.dtype != tf.string:
        return _cut(tf.broadcast_to(image, tf.concat([tf.shape(image)[:2], [3]], 0)), window)
    decoded = tf.cond(
        tf.io.is_jpeg(image),
        lambda: _decode_jpeg(image, window),
        lambda: _cut(tf.io.decode_image(image, channels=3, expand_animations=False), window),
    )
    return tf.ensure_shape(decoded, [None, None, 3])


def inception_window(
    height: tf.Tensor,
    width: tf.Tensor,
    seed: tf.Tensor,
    area: tuple[float, float] = (0.08, 1.0),
    aspect: tuple[float, float] = (3 / 4, 4 / 3),
    log_aspect: bool = False,
    tries: int = 10,
) -> tf.Tensor:
    """Draws the window of an Inception-style crop, as pycls does (Radosavovic et al., 2020).

    A try draws a part of the area and an aspect ratio, both uniformly, and swaps height and width
    with probability 1/2; the first that fits into the image counts. When none does, the window is
    the central square. torchvision and timm draw the logarithm of the aspect ratio.

    Args:
      height: of the image, int32.
      width: of the image, int32.
      seed: see the module.
      area: bounds of the window's part of the area.
      aspect: bounds of its width / height.
      log_aspect: whether its logarithm is drawn.
      tries: how often to draw.

    Returns:
      Top, left, height and width of the window, int32[4].
    """
    draws = tf.random.stateless_uniform([5, tries], seed)
    target = (area[0] + (area[1] - area[0]) * draws[0]) * tf.cast(height * width, tf.float32)
    if log_aspect:
        ratio = aspect[0] * tf.pow(aspect[1] / aspect[0], draws[1])
    else:
        ratio = aspect[0] + (aspect[1] - aspect[0]) * draws[1]
    sides = tf.stack([tf.sqrt(target / ratio), tf.sqrt(target * ratio)])
    sides = tf.where(draws[2] < 0.5, sides[::-1], sides)
    heights, widths = tf.unstack(tf.cast(tf.round(sides), tf.int32))
    fits = (heights <= height) & (widths <= width)
    chosen = tf.argmax(tf.cast(fits, tf.int32))
    tall, wide = heights[chosen], widths[chosen]
    top = _offset(draws[3, chosen], height - tall)
    left = _offset(draws[4, chosen], width - wide)
    window = tf.stack([top, left, tall, wide])
    return tf.where(tf.reduce_any(fits), window, _central_square(height, width))


def resize(
    image: tf.Tensor,
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    method: str = 'bilinear',
    antialias: bool = False,
) -> tf.Tensor:
    """Resizes with half-pixel centres; float32, of the range 0 to 255.

    Bilinear without antialiasing is what OpenCV does, with it what Pillow and torchvision do.

    Args:
      image: uint8, or float32 from 0 to 255, [height, width, 3].
      height: of the result.
      width: of the result.
      method: 'bilinear' or 'bicubic'.
      antialias: whether the filter widens with the scale when the image gets smaller.
    """
    resized = tf.image.resize(image, [height, width], method, antialias=antialias)
    # Bicubic weights may be negative.
    return tf.clip_by_value(resized, 0, 255) if method == 'bicubic' else resized


def resize_shorter_side(
    image: tf.Tensor, size: int, method: str = 'bilinear', antialias: bool = False
) -> tf.Tensor:
    """Resizes the shorter side to `size` and the other in proportion, cut to an integer."""
    shape = tf.cast(tf.shape(image)[:2], tf.float64)
    longer = tf.cast(tf.reduce_max(shape) / tf.reduce_min(shape) * size, tf.int32)
    height = tf.where(shape[0] <= shape[1], size, longer)
    width = tf.where(shape[0] <= shape[1], longer, size)
    return resize(image, height, width, method, antialias)


def center_crop(image: tf.Tensor, size: int) -> tf.Tensor:
    """Returns the central [size, size]; where the margins differ, top and left are the larger."""
    margins = tf.shape(image)[:2] - size
    top, left = tf.unstack((margins + 1) // 2)
    return tf.ensure_shape(image[top : top + size, left : left + size], [size, size, 3])


def random_crop(image: tf.Tensor, seed: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts out [size, size] anywhere, every place equally likely.

    Args:
      image: [height, width, 3], neither side shorter than `size`.
      seed: of the place.
      size: in pixels.
    """
    return tf.image.stateless_random_crop(image, [size, size, 3], seed)


def random_affine(
    image: tf.Tensor,
    seed: tf.Tensor,
    size: int,
    shift: float = 0.0,
    zoom: float = 0.0,
    rotation: float = 0.0,
) -> tf.Tensor:
    """Shifts, zooms and turns an image at random and resizes it to [size, size], in one sampling.

    With all three at 0 it is `resize`. Pixels from beyond the border repeat the border's.

    Args:
      image: uint8 or float32, [height, width, 3].
      seed: see the module.
      size: of the result, in pixels.
      shift: bound of the shift along each axis, as a part of the image's side.
      zoom: the scale is drawn from 1 - zoom to 1 + zoom.
      rotation: bound of the angle, in degrees.
    """
    draws = tf.random.stateless_uniform([4], seed, -1.0, 1.0)
    angle = draws[0] * (rotation * math.pi / 180)
    scale = 1 + zoom * draws[1]
    sides = tf.cast(tf.shape(image)[:2][::-1], tf.float32)  # Width first, as the op wants it.
    steps = sides / size / scale  # Pixels of the image from one of the result to the next.
    cos, sin = tf.cos(angle), tf.sin(angle)
    turn = tf.stack([[cos * steps[0], -sin * steps[0]], [sin * steps[1], cos * steps[1]]])
    center = tf.fill([2], (size - 1) / 2)
    start = (sides - 1) / 2 + shift * draws[2:] * sides - tf.linalg.matvec(turn, center)
    moved = affine(image, turn, start, [size, size])
    return tf.ensure_shape(moved, [size, size, 3])


def affine(
    image: tf.Tensor, turn: tf.Tensor, start: tf.Tensor, size: Sequence[int] | tf.Tensor
) -> tf.Tensor:
    """Samples bilinearly: pixel (x, y) of the result is at `turn` @ (x, y) + `start` of the image.

    Coordinates count from the centre of the first pixel, x first. Pixels from beyond the border
    repeat the border's.

    Args:
      image: [height, width, channels].
      turn: float32 [2, 2].
      start: float32 [2].
      size: height and width of the result.

    Returns:
      float32.
    """
    rows = tf.concat([turn, start[:, None]], 1)
    transform = tf.concat([tf.reshape(rows, [6]), tf.zeros([2])], 0)
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(image, tf.float32)[None],
        transforms=transform[None],
        output_shape=size,
        fill_value=0.0,
        interpolation='BILINEAR',
        fill_mode='NEAREST',
    )
    return moved[0]


def random_flip(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Mirrors left and right with probability 1/2."""
    return tf.image.stateless_random_flip_left_right(image, seed)


def grey(images: tf.Tensor) -> tf.Tensor:
    """Returns the luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).

    Args:
      images: float32 [..., 3].

    Returns:
      float32 [..., 1].
    """
    return tf.tensordot(images, tf.constant(_LUMA), 1)[..., None]


def pca_lighting(seed: tf.Tensor, std: float) -> tf.Tensor:
    """Draws a random colour along the principal components of ImageNet's, to be added to an image.

    A component is multiplied by its eigenvalue and a draw from N(0, std^2). The sum with an image
    is not to be clipped.

    Returns:
      Red, green and blue for values of an image from 0 to 1: float32[3].
    """
    multiples = tf.random.stateless_normal([3], seed, 0.0, std) * _EIGENVALUES
    return tf.linalg.matvec(tf.constant(_EIGENVECTORS), multiples)


def normalize(
    image: tf.Tensor, mean: Sequence[float] | tf.Tensor, std: Sequence[float]
) -> tf.Tensor:
    """Subtracts the mean of each channel and divides by its standard deviation.

    Args:
      image: uint8 or float32 from 0 to 255, [..., height, width, 3], of static width.
      mean: of each channel, for values from 0 to 1: [3], or one for each image: [..., 3].
      std: of each channel, for values from 0 to 1.

    Returns:
      float32, of the image's shape.
    """
    deviation = tf.constant(std, tf.float32)
    offset = -tf.convert_to_tensor(mean, tf.float32) / deviation
    # Whole rows at a time: to repeat three numbers for each pixel takes ten times as long.
    width = image.shape[-2]
    rows = tf.reshape(image, tf.concat([tf.shape(image)[:-2], [width * 3]], 0))
    factors = tf.tile(1 / (255 * deviation), [width])
    offsets = tf.tile(offset, [1] * (offset.shape.rank - 1) + [width])[..., None, :]
    scaled = tf.cast(rows, tf.float32) * factors + offsets
    return tf.ensure_shape(tf.reshape(scaled, tf.shape(image)), image.shape)


def _decode_jpeg(encoded: tf.Tensor, window: Window | None) -> tf.Tensor:
    # The accurate transform is the one that other libraries use, and as fast here.
    options = {'channels': 3, 'dct_method': 'INTEGER_ACCURATE'}
    if window is None:
        return tf.io.decode_jpeg(encoded, **options)
    height, width, _ = tf.unstack(tf.io.extract_jpeg_shape(encoded))
    return tf.io.decode_and_crop_jpeg(encoded, window(height, width), **options)


def _cut(image: tf.Tensor, window: Window | None) -> tf.Tensor:
    if window is None:
        return image
    shape = tf.shape(image)
    top, left, height, width = tf.unstack(window(shape[0], shape[1]))
    return image[top : top + height, left : left + width]


def _offset(draw: tf.Tensor, margin: tf.Tensor) -> tf.Tensor:
    """Draws from 0 to margin - 1; the last offset is never taken, as in the reference."""
    offset = tf.cast(draw * tf.cast(margin, tf.float32), tf.int32)
    return tf.minimum(offset, tf.maximum(margin - 1, 0))


def _central_square(height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    side = tf.minimum(height, width)
    return tf.stack([(height - side + 1) // 2, (width - side + 1) // 2, side, side])
