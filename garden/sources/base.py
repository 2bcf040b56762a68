"""What a source of raw examples is: a number of them, what one holds, and how one is loaded.

A source deals in keys. Which key stands at which position of the run is decided by `training_keys`
and `evaluation_keys`; what a key stands for is fetched by `load`, in graph code, so that a data
loader can load and parse in one parallel step. For a source with random access a key is the index
of an example, and both orders are inherited; one that can only be read from front to back has other
keys (see `stream.RecordStream`) and fulfils the same contract.
"""

import abc
from collections.abc import Mapping, Sequence

import tensorflow as tf

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
    def load(self, key: tf.Tensor) -> Example:
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

        Args:
          feed: the place in the run.
          batch_size: the global batch.
          shuffle: True for another order in each epoch, False for the stored order again and again.
        """
        size = self.checked_length()

        def keys(positions: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            if not shuffle:
                return positions, positions % size
            return positions, shuffled(positions, size, feed.seed)

        # A call for each position would cost more than the permutation itself.
        return feed.position_chunks(batch_size).map(keys).unbatch()

    def evaluation_keys(self, feed: Feed, batch_size: int) -> tf.data.Dataset:
        """Yields (position, key) of this pipeline's part of one pass over all examples.

        The pass is padded to whole global batches. A position of len or more is padding: its key is
        valid, its example must not be counted.
        """
        size = self.checked_length()

        def key(position: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return position, tf.minimum(position, tf.constant(size - 1, tf.int64))

        return feed.evaluation_positions(size, batch_size).map(key)

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

    def checked_length(self) -> int:
        """Returns the number of examples.

        Raises:
          UserError: if there are none.
        """
        size = len(self)
        if not size:
            raise UserError(f'{self} holds no examples.')
        return size


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


def _fits(found: tf.TensorSpec, wanted: tf.TensorSpec) -> bool:
    return found.dtype == wanted.dtype and wanted.shape.is_compatible_with(found.shape)


def _text(spec: tf.TensorSpec) -> str:
    return f'{spec.dtype.name}{list(spec.shape)}' if spec.shape.rank else spec.dtype.name
