"""What the networks of a run cost, written down for those who read its folder later."""

import dataclasses
from typing import Any

from absl import logging

from garden.core.task import Task
from garden.engine.complexity import complexity
from garden.engine.run_folder import RunFolder
from garden.engine.strategy import of_several_workers
from garden.engine.trainer import Trainer


def note(folder: RunFolder, phase: str, trainer: Trainer) -> None:
    """Adds the networks of a phase to networks.json; one that cannot be counted is left out."""
    # To count is to trace, and what one of several workers traces alone upsets the numbers by which
    # their collective operations find one another.
    if folder.write and not of_several_workers(trainer.strategy):
        known = folder.read_networks()
        folder.write_json(folder.networks.name, {**known, phase: _counted(trainer.task)})


def _counted(task: Task) -> dict[str, Any]:
    found = {}
    for name, (model, *specs) in task.models().items():
        try:
            counted = complexity(model, *specs)
        except Exception as error:  # The run can do without.
            logging.warning('The network %s cannot be counted: %s', name, error)
            continue
        found[name] = {
            'inputs': [spec.shape.as_list() for spec in specs],
            'parts': [dataclasses.asdict(row) for row in counted.rows],
            'uncertain': list(counted.uncertain),
        }
    return found
