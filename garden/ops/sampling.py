"""Taking samples of a generator: the same ones again and again, at random, and on the way."""

from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from garden.ops import latent


class Sampler:
    """Makes images of codes, and labels if the generator has classes.

    Args:
      generator: maps codes [n, latent_size], and labels [n] if its `num_classes` is not None, to
        images.
      distribution: of the codes, see `latent.draw`.
    """

    def __init__(self, generator: Any, distribution: str):
        self._generator = generator
        self._distribution = distribution

    def __call__(self, codes: tf.Tensor, *labels: tf.Tensor) -> tf.Tensor:
        """Returns the images of codes, as the generator makes them outside training."""
        return self._generator(codes, *labels, training=False)

    def inputs(self, numbers: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Returns the codes of numbered samples and, where there are any, classes by turns."""
        codes = latent.numbered(self._distribution, numbers, self._generator.latent_size)
        if self._classes is None:
            return (codes,)
        return codes, tf.cast(numbers % self._classes, tf.int32)

    def codes(self, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns random codes [count, latent_size]."""
        return latent.draw(self._distribution, [count, self._generator.latent_size], seed)

    def grid(self, columns: int) -> tf.Tensor:
        """Returns `columns` rows of images; with classes, one row for each, of the same codes."""
        if self._classes is None:
            return self(*self.inputs(tf.range(columns**2, dtype=tf.int64)))
        codes = self.inputs(tf.range(columns, dtype=tf.int64))[0]
        return self(tf.tile(codes, [self._classes, 1]), tf.repeat(tf.range(self._classes), columns))

    def ways(self, count: int, length: int) -> tf.Tensor:
        """Returns `count` rows of `length` images, each from one numbered sample to the next."""
        numbers = tf.range(count + 1, dtype=tf.int64)
        ends, *labels = self.inputs(numbers)
        ways = [
            latent.between(self._distribution, ends[row], ends[row + 1], length)
            for row in range(count)
        ]
        return self(tf.concat(ways, 0), *(tf.repeat(part[:-1], length) for part in labels))

    def named_inputs(self, numbers: tf.Tensor) -> Mapping[str, tf.Tensor]:
        """Returns the inputs of numbered samples by the names of the signatures' arguments."""
        return dict(zip(('latent', 'label'), self.inputs(numbers), strict=False))

    def signatures(
        self, looks: Callable[[tf.Tensor], tf.Tensor]
    ) -> Mapping[str, Callable[..., Any]]:
        """Returns tf.functions to export, which give {'image', 'latent'}.

        * 'sample', the default: num (a scalar) images of a seed int32[2]; with classes, an image
          for each label [n] and seed. Equal seeds give equal images.
        * 'generate': the images of given codes 'latent' [n, latent_size], and labels.

        Images are in the range of values that the generator was trained on. 'sample_picture' and
        'generate_picture' take the same and give {'picture'}: what the images look like, uint8.

        Args:
          looks: makes pictures of images.
        """
        code = tf.TensorSpec([None, self._generator.latent_size], tf.float32, name='latent')
        seed = tf.TensorSpec([2], tf.int32, name='seed')
        if self._classes is None:
            count = tf.TensorSpec([], tf.int32, name='num')
            sample = _exported(self._sampled, looks, count, seed)
            generate = _exported(self._generated, looks, code)
        else:
            label = tf.TensorSpec([None], tf.int32, name='label')
            sample = _exported(self._sampled_labels, looks, label, seed)
            generate = _exported(self._generated, looks, code, label)
        return {
            'serving_default': sample[0],
            'sample': sample[0],
            'sample_picture': sample[1],
            'generate': generate[0],
            'generate_picture': generate[1],
        }

    def _generated(self, latent: tf.Tensor, *label: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return {'image': self(latent, *label), 'latent': latent}

    def _sampled(self, num: tf.Tensor, seed: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return self._generated(self.codes(num, seed))

    def _sampled_labels(self, label: tf.Tensor, seed: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return self._generated(self.codes(tf.shape(label)[0], seed), label)

    @property
    def _classes(self) -> int | None:
        return self._generator.num_classes


def _exported(
    make: Callable[..., Mapping[str, tf.Tensor]],
    looks: Callable[[tf.Tensor], tf.Tensor],
    *taken: tf.TensorSpec,
) -> tuple[Any, Any]:
    """Returns what makes images, and what makes pictures of them."""

    def pictures(*values: tf.Tensor) -> Mapping[str, tf.Tensor]:
        return {'picture': looks(make(*values)['image'])}

    return tuple(tf.function(function, input_signature=taken) for function in (make, pictures))
