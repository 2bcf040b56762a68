"""Experiments built small, from their own files."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def small(tmp_path, monkeypatch):
    """Returns a function that runs an experiment shrunk by base/smoke.gin.

    Its data are real where they need no download, else made up.
    """
    from catalogue import made_small

    from garden.engine import config
    from garden.engine.experiment import Runtime, experiment
    from garden.engine.run_folder import RunFolder

    def run(
        name, strategy, mode='train_and_eval', shrink=True, overrides=(), folder='run', observers=()
    ):
        loaded = config.load(name, [*(made_small(name) if shrink else ()), *overrides])
        trainers = []
        run_folder = RunFolder(tmp_path / folder)
        run_folder.create()
        results = experiment(
            Runtime(
                strategy=strategy,
                folder=run_folder,
                mode=mode,
                observers=lambda phase, trainer: observers,
                built=lambda phase, trainer: trainers.append(trainer),
            )
        )
        return results, trainers, loaded

    return run


@pytest.fixture(scope='session', autouse=True)
def data_folder(tmp_path_factory):
    """Prepares embedded data sets apart from the user's."""
    patch = pytest.MonkeyPatch()
    patch.setenv('TFDS_DATA_DIR', str(tmp_path_factory.mktemp('data')))
    yield
    patch.undo()
