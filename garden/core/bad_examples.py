"""Examples that cannot be used: which are known, and which example of which reader is to blame.

An input pipeline fails at a bad example. The engine then asks the pipeline's readers which of that
step's examples are bad, and opens the pipeline anew without them: what it yields is a function of
seed, step, position and the set of excluded examples. In training an example is excluded from the
step on that it failed at, and not before: a picture that is cut off may well have given a crop of
its upper half, and a run that goes on from an older checkpoint must see what it saw.
"""

import dataclasses
import re
from collections.abc import Callable, Collection, Mapping, Sequence

import tensorflow as tf

from garden.core.errors import UserError

# What TensorFlow says of data that cannot be read or decoded; a network that fails says others.
ERRORS = (
    tf.errors.InvalidArgumentError,
    tf.errors.DataLossError,
    tf.errors.NotFoundError,
    tf.errors.PermissionDeniedError,
)
# A message that quotes a damaged record is maybe no text, at which Python fails in its own way.
FAILURES = (tf.errors.OpError, UnicodeDecodeError)
_LISTED = 20
_LONGEST = 300  # Letters of what is wrong.


@dataclasses.dataclass(frozen=True)
class BadExample:
    """An example that could not be used.

    Attributes:
      reader: the name of the reader that met it.
      index: its number in the reader's source.
      place: where it is stored.
      problem: what is wrong with it.
      seed: the seed of the order in which it was read.
      step: the training step at which it was met.
    """

    reader: str
    index: int
    place: str
    problem: str
    seed: int
    step: int

    def __str__(self) -> str:
        return f'{self.place}: {self.problem}'


@dataclasses.dataclass(frozen=True)
class Flaw:
    """What a reader found: the first four attributes of a bad example, less the reader."""

    index: int
    place: str
    problem: str


@dataclasses.dataclass(frozen=True)
class Reader:
    """One source that an input pipeline reads.

    Attributes:
      name: tells it from all others of the run, in every process and after a restart.
      training: whether it is read step by step; an evaluation leaves out all that is known.
      seed: of the order in which it is read.
      budget: how many of its examples may be bad.
      setting: what sets the budget.
      find: returns the bad examples among those that this pipeline reads for a batch: for a step of
        the training, or for the batch of that number in the evaluation; and while it leaves out
        the examples given.
    """

    name: str
    training: bool
    seed: int
    budget: int
    setting: str
    find: Callable[[int, tuple[int, ...]], Sequence[Flaw]]


class Readers:
    """The readers of an input pipeline.

    Args:
      known: the bad examples met before, by any reader.
      step: the training step at which the pipeline is opened.
    """

    def __init__(self, known: Sequence[BadExample] = (), step: int = 0):
        self._known = known
        self._step = step
        self._readers: list[tuple[Reader, tuple[int, ...]]] = []

    def enter(self, reader: Reader) -> tuple[int, ...]:
        """Adds a reader; returns the examples that it is to leave out, in rising order."""
        left_out = {
            one.index
            for one in self._of(reader)
            if not reader.training or (one.seed == reader.seed and one.step <= self._step)
        }
        excluded = tuple(sorted(left_out))
        self._readers.append((reader, excluded))
        return excluded

    def next_change(self) -> int | None:
        """Returns the next step at which more examples are left out; None if none is known."""
        steps = [
            one.step
            for reader, _ in self._readers
            for one in self._of(reader)
            if reader.training and one.seed == reader.seed and one.step > self._step
        ]
        return min(steps, default=None)

    def find(self, number: int, step: int) -> list[BadExample]:
        """Returns the bad examples among those that are read for a batch.

        Args:
          number: of the batch; see `Reader.find`.
          step: the present training step.

        Raises:
          UserError: if a reader has met more bad examples than it may; the message lists them.
        """
        everything = []
        for reader, excluded in self._readers:
            found = [
                BadExample(reader.name, flaw.index, flaw.place, flaw.problem, reader.seed, step)
                for flaw in reader.find(number, excluded)
            ]
            if found:
                _require_budget(reader, [*self._of(reader), *found])
            everything += found
        return list(dict.fromkeys(everything))

    def _of(self, reader: Reader) -> list[BadExample]:
        return [one for one in self._known if one.reader == reader.name]


def _require_budget(reader: Reader, bad: Sequence[BadExample]) -> None:
    found = different(bad)
    if len(found) <= reader.budget:
        return
    listed = '; '.join(map(str, found[:_LISTED]))
    more = f'; and {len(found) - _LISTED} more' if len(found) > _LISTED else ''
    count = f'{len(found)} bad example{"s" if len(found) > 1 else ""}'
    raise UserError(
        f'{reader.name}: {count}, where {reader.setting} allows {reader.budget}: {listed}{more}. '
        f'Mend or remove what is bad, or raise {reader.setting}.'
    )


def different(bad: Sequence[BadExample]) -> list[BadExample]:
    """Returns bad examples, each once, as it was met first."""
    first: dict[tuple[str, int], BadExample] = {}
    for one in bad:
        first.setdefault((one.reader, one.index), one)
    return list(first.values())


def replacements(excluded: Collection[int], size: int) -> Mapping[int, int]:
    """Returns what takes the place of each excluded example: the last good one stored before it.

    Where there is none, it is the first good one after it.

    Raises:
      UserError: if all `size` examples are excluded.
    """
    bad = {*excluded}
    if len(bad) >= size:
        raise UserError(f'All {size} examples are bad.')
    chosen: dict[int, int] = {}
    for index in sorted(bad):
        near = chosen.get(index - 1, index - 1)
        chosen[index] = (
            near
            if 0 <= near < index
            else next(later for later in range(index + 1, size) if later not in bad)
        )
    return chosen


def text_of(error: Exception) -> str:
    """Returns the message of one of `FAILURES`."""
    if isinstance(error, UnicodeDecodeError):
        return error.object.decode(errors='replace')
    return str(error)


def problem(error: Exception) -> str:
    """Returns what TensorFlow says is wrong, without what it says of itself."""
    text = text_of(error).splitlines()[0]
    text = re.sub(r'\{\{function_node .*?\}\} ', '', text)
    text = re.sub(r'^Error in user-defined function .*? with iterator: \S+: ', '', text)
    text = re.sub(r' \[Op:.*', '', text)
    asserted = re.fullmatch(r'assertion failed: \[(.*)\]', text)
    if asserted:  # Garden's own checks say after 'in' where it is.
        text = ' '.join(asserted[1].split('] [in] [')[0].split('] ['))
    return ''.join(filter(str.isprintable, text)).strip().rstrip('.')[:_LONGEST]
