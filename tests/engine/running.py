"""Runs of phases in a folder, and what is left of them."""

import hashlib

from garden.engine.experiment import Runtime, experiment
from garden.engine.recorder import Recorder
from garden.engine.run_folder import RunFolder


def runner_in(root):
    """Returns a function that runs phases below `root` and returns results and trainers."""

    def run(
        strategy,
        *phases,
        folder='run',
        mode='train_and_eval',
        interruption=None,
        data_service=None,
        **settings,
    ):
        run_folder = RunFolder(root / folder, trains=mode in ('train', 'train_and_eval'))
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


def fingerprint(trainer):
    """Hashes every value that a trainer would checkpoint."""
    digest = hashlib.sha256()
    task = trainer.task
    averages = [shadow for average in task.averages() for shadow in average.shadows]
    for variable in (*task.model.variables, *task.optimizer.variables, *averages):
        digest.update(variable.numpy().tobytes())
    return digest.hexdigest()
