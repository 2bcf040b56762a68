"""What a search engine does for a sweep: it proposes points and judges trials, and runs none."""

import dataclasses
import importlib
from collections.abc import Collection
from pathlib import Path
from typing import Any, Protocol

from garden.core.errors import UserError
from garden.sweep.space import Point, Space


@dataclasses.dataclass(frozen=True)
class Study:
    """What an engine is to search.

    Attributes:
      name: its name, which no other has.
      folder: the sweep's folder; what the engine has to remember goes there.
      space: the settings and their values.
      metric: the name of what is to be maximised or minimised.
      goal: 'max' or 'min'.
      seed: of the search.
      storage: the address of a data base to remember it in, None for the folder.
    """

    name: str
    folder: Path
    space: Space
    metric: str
    goal: str
    seed: int
    storage: str | None = None


@dataclasses.dataclass(frozen=True)
class Proposal:
    """A point to try, and the engine's own name for the trial."""

    key: str
    point: Point


class Engine(Protocol):
    """Proposes points; made anew in each process of a sweep.

    Every call is made under the lock of the sweep's folder: of all processes and machines that work
    on a sweep, one talks to its engine at a time. What the engine knows has to be in its storage
    when a call returns.
    """

    def open(self, study: Study, known: Collection[str]) -> int | None:
        """Begins a study, or goes on with it.

        Args:
          study: what to search.
          known: the keys of the trials that there are. A trial that the engine holds to be running
            and that is not among them was lost before it began.

        Returns:
          How many points there are, None if there is no end of them.
        """

    def ask(self) -> Proposal | None:
        """Returns a point to try; None if there is none, or none before others are told."""

    def report(self, key: str, step: int, value: float) -> bool:
        """Takes an evaluation of a running trial; returns whether to end the trial early."""

    def tell(self, key: str, state: str, value: float | None) -> None:
        """Takes what a trial came to; once more, where a process died in between.

        Args:
          key: the trial.
          state: 'complete', 'pruned', 'diverged' or 'failed'.
          value: its value, None for one that has none.
        """


def library(name: str, package: str) -> Any:
    """Imports the library of an engine, which not everybody has installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise UserError(
            f"A sweep needs the package {package}: pip install '.[sweep]' in a checkout of Garden, "
            f'or pip install {package}.'
        ) from error
