"""The samplers of Optuna that a sweep may search with.

A sampler is made anew for each point, from the seed of the search and the number of points before
it: processes that share a study propose different points, and a study that was interrupted goes on
as if it had not been.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from garden.core.errors import UserError
from garden.core.registry import register
from garden.sweep.engine import library
from garden.sweep.space import Space


@dataclasses.dataclass(frozen=True)
class Sampler:
    """Makes a sampler of Optuna.

    Attributes:
      make: takes the space, the seed of the search and the number of points before.
      size: returns how many points of a space there are, None if there is no end of them.
    """

    make: Callable[[Space, int, int], Any]
    size: Callable[[Space], int | None] = lambda space: None


@register('samplers', 'random')
def random() -> Sampler:
    """Every point on its own."""
    return Sampler(lambda space, seed, count: _samplers().RandomSampler(_mixed(seed, count)))


@register('samplers', 'tpe')
def tpe(startup_trials: int = 10, candidates: int = 24, multivariate: bool = False) -> Sampler:
    """Tree-structured Parzen estimator (Bergstra et al. 2011): more points where good ones lie.

    Args:
      startup_trials: points at random before the model counts.
      candidates: points among which the model chooses.
      multivariate: whether settings are modelled together.
    """

    def make(space: Space, seed: int, count: int) -> Any:
        return _samplers().TPESampler(
            n_startup_trials=startup_trials,
            n_ei_candidates=candidates,
            multivariate=multivariate,
            # Trials that run count as bad ones: others keep away from where they are.
            constant_liar=True,
            seed=_mixed(seed, count),
        )

    return Sampler(make)


@register('samplers', 'qmc')
def qmc(scramble: bool = True) -> Sampler:
    """A Sobol sequence, which covers the space more evenly than chance does.

    Args:
      scramble: whether the seed of the search moves it.
    """

    def make(space: Space, seed: int, count: int) -> Any:
        return _samplers().QMCSampler(
            scramble=scramble,
            seed=seed,
            independent_sampler=_samplers().RandomSampler(_mixed(seed, count)),
            warn_independent_sampling=False,
        )

    return Sampler(make)


@register('samplers', 'grid')
def grid() -> Sampler:
    """Every point once, in an order that the seed shuffles; needs lists, 'int', or steps."""

    def size(space: Space) -> int:
        return math.prod(len(values) for values in _grid(space).values())

    return Sampler(lambda space, seed, count: _samplers().GridSampler(_grid(space), seed), size)


def _grid(space: Space) -> dict[str, Any]:
    found = {}
    for key, dimension in space.items():
        values = dimension.listed()
        if values is None:
            raise UserError(
                f'sweep.space, {key}: a grid needs a list of values, or a range with a step.'
            )
        found[key] = values
    return found


def _mixed(seed: int, count: int) -> int:
    return int(np.random.SeedSequence([seed, count]).generate_state(1)[0])


def _samplers() -> Any:
    return library('optuna', 'optuna').samplers
