"""The pruners of Optuna that a sweep may end trials with. All count in training steps."""

from typing import Any

from garden.core.registry import register
from garden.sweep.engine import library


@register('pruners', 'median')
def median(startup_trials: int = 5, warmup_steps: int = 0) -> Any:
    """Ends what is worse than the median of the others at the same step.

    Args:
      startup_trials: trials that are to have ended before.
      warmup_steps: the step up to which no trial is ended.
    """
    return _pruners().MedianPruner(n_startup_trials=startup_trials, n_warmup_steps=warmup_steps)


@register('pruners', 'successive_halving')
def successive_halving(first_step: int, reduction: int = 4, brackets: int = 0) -> Any:
    """Asynchronous successive halving (Li et al. 2020): at each rung, the best go on.

    Args:
      first_step: the step of the first rung, by custom that of the first evaluation.
      reduction: one of so many goes on, to so many times the step.
      brackets: rungs that are left out at the beginning.
    """
    return _pruners().SuccessiveHalvingPruner(
        min_resource=first_step, reduction_factor=reduction, min_early_stopping_rate=brackets
    )


@register('pruners', 'hyperband')
def hyperband(first_step: int, last_step: int, reduction: int = 3) -> Any:
    """Hyperband (Li et al. 2018): successive halving from several first rungs at once.

    Args:
      first_step: the step of the first rung of all.
      last_step: the step at which trials end by themselves.
      reduction: one of so many goes on, to so many times the step.
    """
    return _pruners().HyperbandPruner(
        min_resource=first_step, max_resource=last_step, reduction_factor=reduction
    )


def _pruners() -> Any:
    return library('optuna', 'optuna').pruners
