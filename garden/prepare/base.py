"""What a preparer is: it knows which examples a kind of data set has, and what one holds."""

import abc
import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from garden.core.errors import UserError, did_you_mean
from garden.prepare.stored import Stored

Value = bytes | int | float | Sequence[bytes] | Sequence[int] | Sequence[float]
Example = Mapping[str, Value]


class Unreadable(Exception):
    """The file of an example is not what it should be; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True)
class Item:
    """An example that is yet to be written.

    Attributes:
      name: its name, of which there is one in a split.
      file: the file that becomes a part of it.
      facts: what else is known of it, as JSON has it.
    """

    name: str
    file: Stored
    facts: Any


@dataclasses.dataclass(frozen=True)
class Survey:
    """What was found of a split.

    Attributes:
      items: the examples, in any order.
      warnings: what the user should know, a line each.
    """

    items: Sequence[Item]
    warnings: Sequence[str]


class Preparer(abc.ABC):
    """A kind of data set that can be prepared.

    The arguments of a registered preparer become flags of the command: texts, which are required
    where they have no default.

    Attributes:
      places: for each split the names under which a source may hold it.

    Args:
      source: the folder that holds the splits, or the folder or archive of a single one.

    Raises:
      UserError: if there is no such folder or file.
    """

    places: ClassVar[Mapping[str, Sequence[str]]]

    def __init__(self, source: str):
        self.source = os.path.expanduser(source).rstrip('/') or '/'
        if '://' in source:
            raise UserError(f'--source={source}: the source is a local folder or archive.')
        if not os.path.exists(self.source):
            raise UserError(f'--source={source}: there is no such folder or archive.')

    @property
    @abc.abstractmethod
    def dataset(self) -> tuple[str, str]:
        """The name and the version under which TFDS finds the data set."""

    @property
    @abc.abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """What all splits have in common and `examine` needs, as JSON has it."""

    @abc.abstractmethod
    def info(self) -> Mapping[str, Any]:
        """Returns the arguments of `tfds.core.DatasetInfo`: features, and more if need be."""

    @abc.abstractmethod
    def survey(self, split: str) -> Survey:
        """Returns the examples of a split, with no file read.

        Raises:
          UserError: if the source is not what it should be.
        """

    @abc.abstractmethod
    def example(self, item: Item, data: bytes) -> Example:
        """Returns what is to be stored, as TFDS serialises the features of `info`."""

    @staticmethod
    @abc.abstractmethod
    def examine(example: Example, facts: Mapping[str, Any]) -> tuple[str, str]:
        """Looks at what is to be stored, or at what was read back.

        Returns:
          The example's name, and a remark on it for the user, or ''.

        Raises:
          Unreadable: if it cannot be used.
        """

    @staticmethod
    @abc.abstractmethod
    def decode(example: Example) -> None:
        """Decodes what was stored, as a data loader will.

        Raises:
          Unreadable: if that fails.
        """

    def splits(self) -> Sequence[str]:
        """Returns the splits that the source holds, as far as names tell."""
        return [split for split in self.places if self._named(split)]

    def place(self, split: str) -> str:
        """Returns the folder or archive of a split.

        Raises:
          UserError: if there is none.
        """
        if split not in self.places:
            raise UserError(
                f'--split={split}: there is {", ".join(self.places)}.'
                f'{did_you_mean(split, self.places)}'
            )
        named = self._named(split)
        if named or not self.splits():  # The source is that split itself.
            return named or self.source
        raise UserError(
            f'{self.source} holds no {split}: {" or ".join(self.places[split])} is looked for; '
            f'there is {", ".join(self.splits())}.'
        )

    def _named(self, split: str) -> str | None:
        if os.path.isfile(self.source):
            return self.source if os.path.basename(self.source) in self.places[split] else None
        paths = [os.path.join(self.source, name) for name in self.places[split]]
        return next(filter(os.path.exists, paths), None)
