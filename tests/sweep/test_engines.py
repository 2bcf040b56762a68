"""What each engine proposes, ends early and remembers."""

import subprocess
import sys
from pathlib import Path

import optuna
import pytest

from garden.core.registry import get
from garden.sweep.engine import Study
from garden.sweep.space import parse

ROOT = Path(__file__).resolve().parents[2]
SPACE = parse({'a.x': ('uniform', -5.0, 5.0), 'a.kind': ['good', 'bad'], 'a.n': ('int', 1, 4)}, '')
KEYS = ('a.x', 'a.kind', 'a.n')


def optuna_engine(sampler='random', pruner=None, **settings):
    return get('engines', 'optuna')(get('samplers', sampler)(**settings), pruner)


def keras_tuner(oracle='random', **settings):
    return get('engines', 'keras_tuner')(get('oracles', oracle)(**settings))


MAKERS = {
    'optuna random': optuna_engine,
    'optuna tpe': lambda: optuna_engine('tpe', startup_trials=4),
    'optuna qmc': lambda: optuna_engine('qmc'),
    'keras_tuner random': keras_tuner,
    'keras_tuner bayesian': lambda: keras_tuner('bayesian', startup_trials=4),
}


def opened(engine, folder, space=SPACE, known=(), goal='max'):
    engine.size = engine.open(Study('x', folder, space, 'score', goal, seed=3), known)
    return engine


def score(point):
    """Is highest at x = 2 where the kind is good."""
    return -((float(point['a.x']) - 2) ** 2) - 10 * (point['a.kind'] == "'bad'")


@pytest.mark.parametrize('maker', MAKERS.values(), ids=MAKERS)
def test_processes_that_share_a_study_propose_other_points(tmp_path, maker):
    one, two = opened(maker(), tmp_path), opened(maker(), tmp_path)
    asked = [engine.ask() for engine in (one, two, one, two)]
    assert len({proposal.key for proposal in asked}) == 4
    assert len({tuple(proposal.point.values()) for proposal in asked}) == 4
    for proposal in asked:
        assert [*proposal.point] == [*KEYS]
        assert -5 <= float(proposal.point['a.x']) <= 5
        assert proposal.point['a.kind'] in ("'good'", "'bad'")
        assert proposal.point['a.n'] in ('1', '2', '3', '4')
    # Each may tell of what the other has begun.
    for engine, proposal in zip((two, one), asked[:2], strict=True):
        engine.tell(proposal.key, 'complete', score(proposal.point))


def test_a_search_that_is_opened_anew_goes_on_as_if_it_had_not(tmp_path):
    found = []
    for folder, opened_anew in (('whole', False), ('parts', True)):
        (tmp_path / folder).mkdir()
        engine, points, keys = opened(MAKERS['optuna tpe'](), tmp_path / folder), [], []
        for _ in range(7):
            if opened_anew:
                engine = opened(MAKERS['optuna tpe'](), tmp_path / folder, known=keys)
            proposal = engine.ask()
            keys.append(proposal.key)
            points.append(proposal.point)
            engine.tell(proposal.key, 'complete', score(proposal.point))
        found.append(points)
    assert found[0] == found[1]


@pytest.mark.parametrize(
    'name', ['optuna tpe', pytest.param('keras_tuner bayesian', marks=pytest.mark.slow)]
)
def test_a_model_finds_what_is_good(tmp_path, name):
    engine = opened(MAKERS[name](), tmp_path)
    scores = []
    for _ in range(12):
        proposal = engine.ask()
        scores.append(score(proposal.point))
        engine.tell(proposal.key, 'complete', scores[-1])
    assert sum(scores[6:]) / 6 > sum(scores[:4]) / 4 + 2
    assert max(scores) > -1


@pytest.mark.parametrize('name', ['optuna random', 'keras_tuner random'])
def test_a_trial_that_was_lost_before_it_began_is_given_up(tmp_path, name):
    engine = opened(MAKERS[name](), tmp_path)
    kept, lost = engine.ask(), engine.ask()
    again = opened(MAKERS[name](), tmp_path, known=[kept.key])
    again.tell(kept.key, 'complete', 1.0)
    again.tell(kept.key, 'complete', 1.0)  # A process died after it had told.
    again.tell(lost.key, 'failed', None)
    assert again.ask().key not in (kept.key, lost.key)


def test_every_state_is_known_to_the_study(tmp_path):
    engine = opened(optuna_engine('tpe', startup_trials=1), tmp_path)
    for state in ('complete', 'pruned', 'diverged', 'failed'):
        key = engine.ask().key
        if state == 'pruned':
            engine.report(key, 10, 0.5)
        engine.tell(key, state, 1.0 if state == 'complete' else None)
    journal = optuna.storages.journal.JournalFileBackend(str(tmp_path / 'study.journal'))
    storage = optuna.storages.JournalStorage(journal)
    study = optuna.load_study(study_name='x', storage=storage)
    told = [(trial.state.name, trial.value) for trial in study.trials]
    assert told == [('COMPLETE', 1.0), ('PRUNED', 0.5), ('PRUNED', None), ('FAIL', None)]
    assert engine.ask() is not None


def test_a_grid_knows_its_size_and_has_each_point(tmp_path):
    space = parse({'a.x': ('uniform', 0.0, 1.0, 0.5), 'a.n': [1, 2]}, '')
    engine = opened(optuna_engine('grid'), tmp_path, space)
    assert engine.size == 6
    found = set()
    for _ in range(6):
        proposal = engine.ask()
        found.add(tuple(proposal.point.values()))
        engine.tell(proposal.key, 'complete', 0.0)
    assert found == {(x, n) for x in ('0.0', '0.5', '1.0') for n in '12'}


def test_successive_halving_lets_one_in_four_go_on(tmp_path):
    pruner = get('pruners', 'successive_halving')(first_step=10, reduction=4)
    engine = opened(optuna_engine(pruner=pruner), tmp_path)
    values = [0.9, 0.1, 0.2, 0.3, 0.8, 0.95, 0.4, 0.5]
    ended = [engine.report(engine.ask().key, 10, value) for value in values]
    # Asynchronous: each is judged by those that were there before it, one quarter of them go on.
    expected = [
        sorted(values[: i + 1], reverse=True).index(value) >= max((i + 1) // 4, 1)
        for i, value in enumerate(values)
    ]
    assert ended == expected


def test_hyperband_and_median_take_the_goal_into_account(tmp_path):
    for name, settings in (('median', {'startup_trials': 1}), ('hyperband', None)):
        folder = tmp_path / name
        folder.mkdir()
        settings = settings or {'first_step': 10, 'last_step': 90}
        pruner = get('pruners', name)(**settings)
        engine = opened(optuna_engine(pruner=pruner), folder, goal='min')
        ended = []
        for loss in (1.0, *[5.0] * 12):
            key = engine.ask().key
            ended.append(engine.report(key, 10, loss))
            engine.tell(key, 'pruned' if ended[-1] else 'complete', loss)
        assert not ended[0]
        assert any(ended)


def test_a_process_that_was_killed_leaves_a_journal_that_can_be_used(tmp_path):
    engine = opened(optuna_engine(), tmp_path)
    kept = engine.ask()
    script = f"""
import os
from pathlib import Path
from garden.sweep.journal import storage
path = Path({str(tmp_path)!r}) / 'study.journal'
storage(path)._backend._lock.acquire()
with open(path, 'a') as file:
    file.write('{{"op_code": 4, "wor')
    file.flush()
    os._exit(9)
"""
    command = [sys.executable, '-c', script]
    assert subprocess.run(command, cwd=ROOT, check=False, timeout=60).returncode == 9
    again = opened(optuna_engine(), tmp_path, known=[kept.key])
    again.tell(kept.key, 'complete', 1.0)
    assert opened(optuna_engine(), tmp_path, known=[kept.key]).ask().key != kept.key
