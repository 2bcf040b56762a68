"""What the engine's tests share."""

import hashlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def seedable_layers():
    """Random layers are made as a run makes them."""
    from garden.engine import randomness

    randomness.enable()


@pytest.fixture
def runner(tmp_path):
    """Returns a function that runs phases in a folder and returns results and trainers."""
    from garden.engine.experiment import Runtime, experiment
    from garden.engine.recorder import Recorder
    from garden.engine.run_folder import RunFolder

    def run(
        strategy,
        *phases,
        folder='run',
        mode='train_and_eval',
        interruption=None,
        data_service=None,
        **settings,
    ):
        run_folder = RunFolder(tmp_path / folder, trains=mode in ('train', 'train_and_eval'))
        run_folder.create()
        trainers = []
        runtime = Runtime(
            strategy=strategy,
            folder=run_folder,
            mode=mode,
            observers=lambda phase, trainer: [Recorder(run_folder, phase.name)],
            built=lambda phase, trainer: trainers.append(trainer),
            data_service=data_service,
        )
        if interruption is not None:
            runtime.interruption = interruption
        run.trainers = trainers
        return experiment(runtime, phases=list(phases), **settings), trainers

    return run


@pytest.fixture
def fingerprint():
    """Returns a function that hashes every value a trainer would checkpoint."""

    def of(trainer):
        digest = hashlib.sha256()
        task = trainer.task
        averages = [shadow for average in task.averages() for shadow in average.shadows]
        for variable in (*task.model.variables, *task.optimizer.variables, *averages):
            digest.update(variable.numpy().tobytes())
        return digest.hexdigest()

    return of
