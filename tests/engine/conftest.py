"""What the engine's tests share."""

import functools
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True, scope='session')
def seedable_layers():
    """Random layers are made as a run makes them."""
    from garden.engine import randomness

    randomness.enable()


@pytest.fixture
def runner(tmp_path):
    """Returns a function that runs phases in a folder and returns results and trainers."""
    from running import runner_in

    return runner_in(tmp_path)


class Straight(NamedTuple):
    """What a run came to that nothing happened to."""

    folder: Path
    fingerprint: str


@pytest.fixture(scope='session')
def straight(tmp_path_factory):
    """Returns a function that gives the straight run of `toy.full` under a strategy, made once."""
    from running import fingerprint, runner_in
    from toy import full

    @functools.cache
    def of(strategy):
        root = tmp_path_factory.mktemp('straight')
        _, (trainer,) = runner_in(root)(strategy, full())
        return Straight(root / 'run', fingerprint(trainer))

    return of
