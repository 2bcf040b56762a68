"""What a source of raw examples is: a number of them, what one holds, and how one is loaded.

A source deals in keys. Which key stands at which position of the run is decided by `training_keys`
and `evaluation_keys`; what a key stands for is fetched by `load`, in graph code, so that a data
loader can load and parse in one parallel step. For a source with random access a key is the index
of an example, and both orders are inherited; one that can only be read from front to back has other
keys (see `stream.RecordStream`) and fulfils the same contract.
"""

import abc
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from garden.core.bad_examples import replacements
from garden.core.errors import UserError, did_you_mean
from garden.core.feed import Feed, shuffled

Example = Mapping[str, tf.Tensor]
Spec = Mapping[str, tf.TensorSpec | Sequence[tf.TensorSpec]]


class Source(abc.ABC):
    """Raw examples: encoded pictures, labels, waveforms, as they are stored."""

    @property
    @abc.abstractmethod
    def features(self) -> Mapping[str, tf.TensorSpec]:
        """What one example holds, by name; None in a shape stands for a size that varies."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """Returns the number of examples."""

    @abc.abstractmethod
    def load(self, key: Any) -> Example:
        """Returns the example that `key` stands for, in graph code without AutoGraph.

        Args:
          key: what `training_keys` and `evaluation_keys` yield; by default the index of the
            example, an int64 scalar from 0 to len - 1.
        """

    @property
    def class_names(self) -> Sequence[str] | None:
        """The name of each class of the feature 'label', or None where they are not known."""
        return None

    def training_keys(self, feed: Feed, batch_size: int, shuffle: bool) -> tf.data.Dataset:
        """Yields (position, key) of this pipeline's part of the run, endlessly from `feed.step` on.

        Where an example of `feed.excluded` would stand, another one does (see `replacements`).

        Args:
          feed: the place in the run.
          batch_size: the global batch.
          shuffle: True for another order in each epoch, False for the stored order again and again.
        """
        size = self.checked_length()
        replaced = _replacement(feed.excluded, size)

        def keys(positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            order = shuffled(positions, size, feed.seed) if shuffle else positions % size
            return positions, replaced(order)

        # A call for each position would cost more than the permutation itself.
        return feed.position_chunks(batch_size).map(keys).unbatch()

    def evaluation_keys(self, feed: Feed, batch_size: int) -> tf.data.Dataset:
        """Yields (position, key) of this pipeline's part of one pass over all examples.

        Those of `feed.excluded` are left out. The pass over the `size` examples that remain is
        padded to whole global batches: a position of `size` or more is padding. Its key is valid,
        its example must not be counted.
        """
        size = self.checked_length(feed.excluded)

        def key(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            place = tf.minimum(position, tf.constant(size - 1, tf.int64))
            return position, _kept(place, feed.excluded)

        return feed.evaluation_positions(size, batch_size).map(key)

    def fetch(self, keys: tf.data.Dataset, share: int) -> tf.data.Dataset:
        """Reads many examples at once, where that costs less than one by one in `load`.

        Args:
          keys: (position, key), as `training_keys` and `evaluation_keys` yield them, whole batches.
          share: the examples of one batch of this pipeline.

        Returns:
          (position, key) with keys that `load` takes too; inherited, the keys as they are.
        """
        del share
        return keys

    def index(self, key: Any) -> tf.Tensor:
        """Returns the index (int64 scalar) of the example that a key stands for."""
        return key

    def place(self, index: int) -> str:
        """Returns where an example is stored, for a message."""
        return f'example {index} of {self}'

    def blamed(self, error: Exception) -> int | None:
        """Returns the index of the example that made reading the keys fail; None if none did."""
        del error
        return None

    def require(self, spec: Spec, reader: str) -> None:
        """Makes sure that the examples have what a data loader needs.

        Args:
          spec: the features needed; several specifications for one name are alternatives.
          reader: the name of the loader, for the message.

        Raises:
          UserError: if a feature is missing, or has another type or shape.
        """
        for name, needed in spec.items():
            wanted = alternatives(needed)
            found = self.features.get(name)
            if found is not None and any(_fits(found, one) for one in wanted):
                continue
            need = f'{reader} needs the feature {name!r} ({" or ".join(map(_text, wanted))})'
            if found is not None:
                raise UserError(f'{need}, but in {self} it is {_text(found)}.')
            raise UserError(
                f'{need}, but {self} has only: {", ".join(self.features)}.'
                f'{did_you_mean(name, self.features)}'
            )

    def checked_length(self, excluded: Sequence[int] = ()) -> int:
        """Returns the number of examples, those excluded not counted.

        Raises:
          UserError: if there are none.
        """
        size = len(self)
        if not size:
            raise UserError(f'{self} holds no examples.')
        if len(excluded) == size:
            raise UserError(f'{self} holds no good example.')
        return size - len(excluded)


def missing(source: object, where: str, remedy: str, offline_sibling: str | None) -> UserError:
    """Returns the error for data that is not there: what, where it was looked for, what to do."""
    sibling = (
        f' Without it, try --experiment={offline_sibling}, which needs no download.'
        if offline_sibling
        else ''
    )
    return UserError(f'{source} is not prepared: nothing found in {where}. {remedy}{sibling}')


def alternatives(spec: tf.TensorSpec | Sequence[tf.TensorSpec]) -> Sequence[tf.TensorSpec]:
    """Returns the specifications of which a feature must meet one."""
    return (spec,) if isinstance(spec, tf.TensorSpec) else spec


def _replacement(excluded: Sequence[int], size: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function that puts other indices in the place of excluded ones in a vector."""
    if not excluded:
        return lambda indices: indices
    chosen = replacements(excluded, size)

    def replaced(indices: tf.Tensor) -> tf.Tensor:
        bad = tf.constant(list(chosen), tf.int64)
        step = tf.constant([instead - index for index, instead in chosen.items()], tf.int64)
        return indices + tf.reduce_sum(tf.where(indices[:, None] == bad, step, 0), axis=1)

    return replaced


def _kept(place: tf.Tensor, excluded: Sequence[int]) -> tf.Tensor:
    """Returns which example stands at a place of the row without the excluded ones."""
    if not excluded:
        return place
    before = tf.constant([index - n for n, index in enumerate(excluded)], tf.int64)
    return place + tf.math.count_nonzero(before <= place)


def _fits(found: tf.TensorSpec, wanted: tf.TensorSpec) -> bool:
    return found.dtype == wanted.dtype and wanted.shape.is_compatible_with(found.shape)


def _text(spec: tf.TensorSpec) -> str:
    return f'{spec.dtype.name}{list(spec.shape)}' if spec.shape.rank else spec.dtype.name
