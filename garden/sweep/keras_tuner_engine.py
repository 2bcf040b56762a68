"""KerasTuner as the engine of a sweep: its oracles propose points."""

from collections.abc import Callable, Collection
from typing import Any

from garden.core.errors import UserError
from garden.core.registry import register
from garden.sweep.engine import Proposal, Study, library
from garden.sweep.space import Choice, Space, number

Oracle = Callable[..., Any]
_FOLDER = 'keras_tuner'


@register('oracles', 'random')
def random() -> Oracle:
    """Every point on its own, none twice."""
    return lambda **arguments: _oracles().RandomSearchOracle(max_trials=None, **arguments)


@register('oracles', 'bayesian')
def bayesian(startup_trials: int | None = None, alpha: float = 1e-4, beta: float = 2.6) -> Oracle:
    """A Gaussian process and its upper confidence bound.

    Args:
      startup_trials: points at random before the model counts; None for three a setting.
      alpha: the noise of the values, as their variance.
      beta: how much uncertainty counts against a good value.
    """
    return lambda **arguments: _oracles().BayesianOptimizationOracle(
        max_trials=None, num_initial_points=startup_trials, alpha=alpha, beta=beta, **arguments
    )


@register('engines', 'keras_tuner')
class KerasTuner:
    """Searches with an oracle of KerasTuner; it sees what trials come to, and ends none early.

    Its state lies in `keras_tuner` in the sweep's folder. It is read before each call and written
    after it, so that processes share it without a chief of their own.

    Args:
      oracle: proposes the points; one of `oracles`.
    """

    def __init__(self, oracle: Oracle):
        self._make = oracle

    def open(self, study: Study, known: Collection[str]) -> int | None:
        """See the protocol."""
        if study.storage is not None:
            raise UserError('--storage is for Optuna; KerasTuner keeps its state in the folder.')
        self._tuner = library('keras_tuner', 'keras-tuner')
        self._study = study
        oracle = self._oracle()
        for key in [*oracle.ongoing_trials]:
            if key not in known:
                self.tell(key, 'failed', None)
        return None

    def ask(self) -> Proposal | None:
        """See the protocol."""
        oracle = self._oracle()
        key = str(len(oracle.trials))
        trial = oracle.create_trial(key)
        if trial.status != 'RUNNING':
            return None
        values = trial.hyperparameters.values
        point = {}
        for name, dimension in self._study.space.items():
            value = values[name]
            point[name] = value if isinstance(dimension, Choice) else number(dimension, value)
        return Proposal(trial.trial_id, point)

    def report(self, key: str, step: int, value: float) -> bool:
        """See the protocol."""
        return False

    def tell(self, key: str, state: str, value: float | None) -> None:
        """See the protocol."""
        oracle = self._oracle()
        trial = oracle.trials[key]
        if trial.status != 'RUNNING':  # A process died after it had told.
            return
        trial.status = 'FAILED'
        if state == 'complete' and value is not None:
            oracle.update_trial(key, {self._study.metric: value})
            trial.status = 'COMPLETED'
        oracle.end_trial(trial)

    def _oracle(self) -> Any:
        """Returns an oracle in the state that the last call of any process has left."""
        objective = self._tuner.Objective(self._study.metric, self._study.goal)
        oracle = self._make(
            objective=objective,
            hyperparameters=_hyperparameters(self._tuner, self._study.space),
            seed=self._study.seed + 1,  # It takes 0 for none.
            max_consecutive_failed_trials=10**9,  # Which the sweep counts.
        )
        oracle.verbose = 0
        oracle._set_project_dir(str(self._study.folder), _FOLDER)
        if (self._study.folder / _FOLDER / 'oracle.json').exists():
            oracle.reload()
            oracle.trials = dict(sorted(oracle.trials.items()))  # Not in the order of the files.
            # It takes running trials for lost ones, to be handed out again, and one that was told
            # for a running one: it saves its state before it forgets it.
            left = [oracle.trials[key] for key in oracle._retry_queue]
            oracle.ongoing_trials = {t.trial_id: t for t in left if t.status == 'RUNNING'}
            oracle._retry_queue = []
        return oracle


def _hyperparameters(tuner: Any, space: Space) -> Any:
    found = tuner.HyperParameters()
    for key, dimension in space.items():
        if isinstance(dimension, Choice):
            found.Choice(key, list(dimension.values))
            continue
        sampling = 'log' if dimension.log else 'linear'
        if dimension.whole:
            step = None if dimension.log else int(dimension.step or 1)
            found.Int(key, int(dimension.low), int(dimension.high), step, sampling)
        else:
            found.Float(key, dimension.low, dimension.high, dimension.step, sampling)
    return found


def _oracles() -> Any:
    return library('keras_tuner', 'keras-tuner').oracles
