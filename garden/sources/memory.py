"""Examples held in memory: NumPy arrays, or another source read once."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.registry import register
from garden.sources.base import Example, Source


@register('sources', 'arrays')
class Arrays(Source):
    """Arrays whose first axis is the example.

    Args:
      arrays: the features by name, all of one length; text and bytes as arrays of `object`.
      class_names: the names of the classes of the feature 'label'.

    Raises:
      UserError: if the arrays differ in length.
    """

    def __init__(
        self,
        arrays: Mapping[str, np.ndarray | tf.Tensor],
        class_names: Sequence[str] | None = None,
    ):
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) != 1:
            raise UserError(f'sources.arrays needs arrays of one length; these have {lengths}.')
        (self._length,) = set(lengths.values())
        self._class_names = class_names
        with tf.device('CPU'):  # Input pipelines run there, also where there is an accelerator.
            self._tensors = {name: tf.convert_to_tensor(array) for name, array in arrays.items()}

    @property
    def features(self) -> Mapping[str, tf.TensorSpec]:
        """See the base class."""
        return {name: tf.TensorSpec(t.shape[1:], t.dtype) for name, t in self._tensors.items()}

    @property
    def class_names(self) -> Sequence[str] | None:
        """See the base class."""
        return self._class_names

    def __len__(self) -> int:
        return self._length

    def load(self, key: tf.Tensor) -> Example:
        """See the base class."""
        return {name: tf.gather(tensor, key) for name, tensor in self._tensors.items()}

    def __str__(self) -> str:
        return f'sources.arrays ({", ".join(self._tensors)})'


def cached(source: Source, excluded: tuple[int, ...] = ()) -> Source:
    """Reads a source once and returns its examples, as they are stored, from memory.

    The features must have one shape for all examples; encoded pictures, being strings, do. In the
    place of an excluded example stands the one that replaces it.
    """
    if isinstance(source, Arrays):
        return source
    with tf.device('CPU'):
        arrays = (
            stored(source, excluded)
            .map(lambda _, key: dict(source.load(key)), num_parallel_calls=tf.data.AUTOTUNE)
            .batch(source.checked_length())
            .get_single_element()
        )
    return Arrays(arrays, source.class_names)


def stored(source: Source, excluded: tuple[int, ...] = ()) -> tf.data.Dataset:
    """Yields (position, key) of all examples in the order in which they are stored."""
    keys = source.training_keys(Feed(excluded=excluded), batch_size=1, shuffle=False)
    return keys.take(source.checked_length())
