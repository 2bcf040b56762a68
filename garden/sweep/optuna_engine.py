"""Optuna as the engine of a sweep: its samplers propose points, its pruners end trials early."""

import contextlib
import warnings
from collections.abc import Collection, Mapping
from typing import Any

from garden.core.errors import UserError
from garden.core.registry import register
from garden.sweep import journal
from garden.sweep.engine import Proposal, Study, library
from garden.sweep.samplers import Sampler
from garden.sweep.space import Choice, Dimension, Space, number


@register('engines', 'optuna')
class Optuna:
    """Searches with a sampler and a pruner of Optuna.

    The study lies in `study.journal` in the sweep's folder, or in a data base.

    Args:
      sampler: proposes the points; one of `samplers`.
      pruner: says which trials to end early; one of `pruners`, None for none.
    """

    def __init__(self, sampler: Sampler, pruner: Any = None):
        self._sampler = sampler
        self._pruner = pruner

    def open(self, study: Study, known: Collection[str]) -> int | None:
        """See the protocol."""
        optuna = library('optuna', 'optuna')
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._optuna = optuna
        self._space = study.space
        self._seed = study.seed
        self._distributions = distributions(study.space)
        self._storage = _storage(study)
        self._study = optuna.create_study(
            storage=self._storage,
            pruner=self._pruner or optuna.pruners.NopPruner(),
            study_name=study.name,
            direction='maximize' if study.goal == 'max' else 'minimize',
            load_if_exists=True,
        )
        count = len(self._study.get_trials(deepcopy=False))
        if any(int(key) >= count for key in known):
            raise UserError(
                f'The study of {study.folder} lies elsewhere: give the --storage that it was begun '
                'with.'
            )
        for trial in self._study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
            if str(trial.number) not in known:
                self.tell(str(trial.number), 'failed', None)
        return self._sampler.size(study.space)

    def ask(self) -> Proposal | None:
        """See the protocol."""
        count = len(self._study.get_trials(deepcopy=False))
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', self._optuna.exceptions.ExperimentalWarning)
            self._study.sampler = self._sampler.make(self._space, self._seed, count)
            trial = self._study.ask(self._distributions)
        return Proposal(
            str(trial.number),
            {key: _written(self._space[key], value) for key, value in trial.params.items()},
        )

    def report(self, key: str, step: int, value: float) -> bool:
        """See the protocol."""
        study = self._storage.get_study_id_from_name(self._study.study_name)
        trial = self._storage.get_trial_id_from_study_id_trial_number(study, int(key))
        if step not in self._storage.get_trial(trial).intermediate_values:
            self._storage.set_trial_intermediate_value(trial, step, value)
        return self._study.pruner.prune(self._study, self._storage.get_trial(trial))

    def tell(self, key: str, state: str, value: float | None) -> None:
        """See the protocol."""
        states = self._optuna.trial.TrialState
        told = {
            'complete': states.COMPLETE,
            'pruned': states.PRUNED,
            # Samplers learn from a pruned trial without a value that it was bad.
            'diverged': states.PRUNED,
            'failed': states.FAIL,
        }[state]
        # A grid that is exhausted asks a loop to stop that is not there, and has told by then.
        with contextlib.suppress(RuntimeError):
            self._study.tell(
                int(key),
                value if told == states.COMPLETE else None,
                state=told,
                skip_if_finished=True,
            )


def distributions(space: Space) -> Mapping[str, Any]:
    """Returns a space in Optuna's terms."""
    known = library('optuna', 'optuna').distributions
    found = {}
    for key, dimension in space.items():
        if isinstance(dimension, Choice):
            found[key] = known.CategoricalDistribution(dimension.values)
        elif dimension.whole:
            step = 1 if dimension.log else int(dimension.step or 1)
            low, high = int(dimension.low), int(dimension.high)
            found[key] = known.IntDistribution(low, high, log=dimension.log, step=step)
        else:
            found[key] = known.FloatDistribution(
                dimension.low, dimension.high, log=dimension.log, step=dimension.step
            )
    return found


def _written(dimension: Dimension, value: Any) -> str:
    return value if isinstance(dimension, Choice) else number(dimension, value)


def _storage(study: Study) -> Any:
    storages = library('optuna', 'optuna').storages
    address = study.storage
    if address is None:
        return journal.storage(study.folder / 'study.journal')
    try:
        if address.startswith(('redis://', 'rediss://')):
            return storages.JournalStorage(storages.journal.JournalRedisBackend(address))
        if address.startswith('grpc://'):
            host, _, port = address.removeprefix('grpc://').rpartition(':')
            return storages.GrpcStorageProxy(host=host, port=int(port))
        return storages.get_storage(address)
    except Exception as error:  # Of whatever library it takes to reach it.
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        kind = address.partition('://')[0]  # The rest may hold a password.
        raise UserError(f'--storage={kind}://... cannot be opened: {cause}') from error
