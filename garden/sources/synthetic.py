"""Examples made from a seed, to try a system without its data."""

from collections.abc import Mapping

import tensorflow as tf

from garden.core.errors import UserError
from garden.core.registry import register
from garden.sources.base import Example, Source, Spec, alternatives

_COARSE = 4  # Pixels of the noise that a picture is a smooth enlargement of.


@register('sources', 'synthetic')
class Synthetic(Source):
    """Random examples with whatever features the data loader asks for.

    Text features become the bytes of smooth JPEG pictures, integers become classes, other numbers
    are uniform in [0, 1). An example depends on the seed and its index only.

    Args:
      size: the number of examples.
      seed: another seed, other examples.
      classes: integers are drawn from 0 to classes - 1.
      image_size: height and width of the pictures, in pixels.
      length: the size of an axis whose size may vary.
    """

    def __init__(
        self,
        size: int = 64,
        seed: int = 0,
        classes: int = 2,
        image_size: int = 64,
        length: int = 8,
    ):
        self._size = size
        self._seed = seed
        self._classes = classes
        self._image_size = image_size
        self._length = length
        self._features: Mapping[str, tf.TensorSpec] = {}

    @property
    def features(self) -> Mapping[str, tf.TensorSpec]:
        """What the last `require` asked for, the first of alternatives."""
        return self._features

    def __len__(self) -> int:
        return self._size

    def require(self, spec: Spec, reader: str) -> None:
        """Takes on the features that the loader needs.

        Raises:
          UserError: if one of them is a list of texts.
        """
        self._features = {name: alternatives(needed)[0] for name, needed in spec.items()}
        for name, feature in self._features.items():
            if feature.dtype == tf.string and feature.shape.rank:
                raise UserError(
                    f'sources.synthetic makes no lists of text, as {reader} needs for {name!r}.'
                )

    def load(self, key: tf.Tensor) -> Example:
        """See the base class."""
        seed = tf.stack([tf.constant(self._seed, tf.int64), key])
        return {
            name: self._value(spec, tf.random.experimental.stateless_fold_in(seed, number))
            for number, (name, spec) in enumerate(self._features.items())
        }

    def __str__(self) -> str:
        return 'sources.synthetic'

    def _value(self, spec: tf.TensorSpec, seed: tf.Tensor) -> tf.Tensor:
        if spec.dtype == tf.string:
            return tf.io.encode_jpeg(self._picture(seed))
        shape = [self._length if size is None else size for size in spec.shape]
        if spec.dtype.is_integer:
            drawn = tf.random.stateless_uniform(shape, seed, 0, self._classes, tf.int32)
            return tf.cast(drawn, spec.dtype)
        return tf.cast(tf.random.stateless_uniform(shape, seed), spec.dtype)

    def _picture(self, seed: tf.Tensor) -> tf.Tensor:
        coarse = tf.random.stateless_uniform([_COARSE, _COARSE, 3], seed, 0.0, 255.0)
        smooth = tf.image.resize(coarse, [self._image_size, self._image_size])
        return tf.cast(smooth, tf.uint8)
