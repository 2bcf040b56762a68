"""The search space: settings of an experiment, and the values that each may take."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from garden.core.errors import UserError, did_you_mean
from garden.engine.config_text import formatted

_KINDS = ('uniform', 'log', 'int', 'int_log')
_MOST_IN_A_GRID = 10_000


@dataclasses.dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included.

    Attributes:
      low: the least.
      high: the greatest.
      log: whether each order of magnitude is as likely as the next.
      whole: whether they are whole numbers.
      step: the distance between two values, None where every number is one.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False
    step: float | None = None

    def example(self, i: int) -> str:
        """Returns one of the values, as gin writes it: the ends in turn."""
        return formatted(self.high if i % 2 else self.low)

    def listed(self) -> list[float] | None:
        """Returns all values where a step divides them, None where there is none."""
        if self.step is None:
            return None
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        if count > _MOST_IN_A_GRID:
            return None
        return [self.low + i * self.step for i in range(count)]


@dataclasses.dataclass(frozen=True)
class Choice:
    """Some values, as gin writes them."""

    values: tuple[str, ...]

    def example(self, i: int) -> str:
        """Returns one of the values: each in turn."""
        return self.values[i % len(self.values)]

    def listed(self) -> list[str]:
        """Returns all values."""
        return list(self.values)


Dimension = Range | Choice
Space = Mapping[str, Dimension]
Point = Mapping[str, str]  # A value, as gin writes it, for each setting.


def parse(stated: Mapping[str, Any], where: str) -> Space:
    """Reads a space as the gin file of a sweep states it.

    Raises:
      UserError: for a value that states no dimension.
    """
    if not stated:
        raise UserError(f'{where}: sweep.space is empty: there is nothing to vary.')
    return {key: _dimension(value, f'{where}: sweep.space, {key}') for key, value in stated.items()}


def written(value: Any) -> str:
    """Returns a value as gin writes it; a text that begins with @ or % is a reference."""
    if isinstance(value, str) and value[:1] in ('@', '%'):
        return value
    return formatted(value)


def number(dimension: Range, value: float) -> str:
    """Returns a number of a range as gin writes it."""
    return formatted(int(value) if dimension.whole else float(value))


def short(text: str) -> str:
    """Returns a value that gin writes with as many digits as one can compare."""
    try:
        return f'{float(text):.4g}'
    except ValueError:
        return text


def examples(space: Space) -> list[Point]:
    """Returns points which together have both ends of each range and each value of a choice."""
    count = max(len(d.values) if isinstance(d, Choice) else 2 for d in space.values())
    return [{key: d.example(i) for key, d in space.items()} for i in range(count)]


def _dimension(value: Any, what: str) -> Dimension:
    if isinstance(value, list):
        texts = tuple(written(item) for item in value)
        if len(set(texts)) < max(len(texts), 1):
            raise UserError(f'{what}: a list needs values that differ; {value!r} has none or two.')
        return Choice(texts)
    if not isinstance(value, tuple) or not value or not isinstance(value[0], str):
        raise UserError(
            f"{what}: {value!r} says no values: write a list of them, or ('uniform', low, high), "
            "('log', low, high), ('int', low, high) or ('int_log', low, high)."
        )
    kind, *numbers = value
    if kind not in _KINDS:
        hint = did_you_mean(kind, _KINDS) or ' Write a list for a choice.'
        raise UserError(
            f'{what}: there is no range {kind!r}.{hint} Ranges are {", ".join(_KINDS)}.'
        )
    return _range(kind, numbers, what)


def _range(kind: str, numbers: list[Any], what: str) -> Range:
    log, whole = kind.endswith('log'), kind.startswith('int')
    most = 2 if log else 3
    form = f"('{kind}', low, high{'' if log else '[, step]'})"
    type_ = int if whole else (int, float)
    if not 2 <= len(numbers) <= most or not all(
        isinstance(n, type_) and not isinstance(n, bool) and math.isfinite(n) for n in numbers
    ):
        kind_of = 'whole numbers' if whole else 'numbers'
        raise UserError(f'{what}: ({kind!r}, ...) takes two {kind_of}, as in {form}.')
    low, high, *rest = numbers
    step = rest[0] if rest else (1 if whole and not log else None)
    if low >= high:
        raise UserError(f'{what}: low is to be less than high; {low!r} is not less than {high!r}.')
    if log and low <= 0:
        raise UserError(f'{what}: a logarithmic range lies above 0; {low!r} does not.')
    if step is not None and not 0 < step <= high - low:
        raise UserError(f'{what}: the step {step!r} does not fit between {low!r} and {high!r}.')
    return Range(low, high, log, whole, step)
