"""The experiments and models that the conformance tests run over."""

import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from garden import registry
from garden.engine import experiments

EXPERIMENTS = {experiment.name: experiment for experiment in experiments.catalogue()}
NAMES = sorted(EXPERIMENTS)
OFFLINE = [name for name in NAMES if EXPERIMENTS[name].header.offline]
FULL_SIZED = [name for name in NAMES if name not in OFFLINE]
MODELS = registry.names('models')

_EXPERIMENTS = Path(__file__).resolve().parents[2] / 'experiments'
_EXHAUSTIVE = [pytest.mark.slow, pytest.mark.exhaustive]
_SOURCE = re.compile(r'^(\S+) = @(?:\w+/)*sources\.\w+\(\)$', re.MULTILINE)


def tasks_of(name: str) -> tuple[str, ...]:
    """Returns the names of the tasks of an experiment's phases; reads text, imports nothing."""

    def text_of(path: Path) -> str:
        text = path.read_text()
        included = (_EXPERIMENTS / part for part in re.findall(r"^include '(.*)'$", text, re.M))
        return text + ''.join(map(text_of, included))

    return tuple(sorted(set(re.findall(r'@tasks\.(\w+)', text_of(EXPERIMENTS[name].path)))))


def stand_ins(names: Iterable[str], *marks: object) -> list[object]:
    """Returns parameters for a test that takes long over all experiments.

    The first experiment of a task stands for its others, which are left to `make test-exhaustive`;
    `marks` are those of the former.
    """
    taken: set[tuple[str, ...]] = set()
    parameters = []
    for name in names:
        tasks = tasks_of(name)
        parameters.append(pytest.param(name, marks=_EXHAUSTIVE if tasks in taken else marks))
        taken.add(tasks)
    return parameters


def costly(names: Iterable[str]) -> list[object]:
    """Returns `stand_ins` that are slow."""
    return stand_ins(names, pytest.mark.slow)


def exhaustive(names: Iterable[str]) -> list[object]:
    """Returns parameters for a test whose like another test does faster."""
    return [pytest.param(name, marks=_EXHAUSTIVE) for name in names]


def runs_on_replicas(name: str) -> bool:
    """Whether an experiment's tasks are compiled, and so may run on several devices."""
    from garden.engine import config

    config.load(name)
    return all(registry.get('tasks', task).compiled for task in tasks_of(name))


def made_small(name: str) -> list[str]:
    """Returns settings that shrink an experiment; data that need a download are made up."""
    from garden.engine import config

    changes = ["include 'base/smoke.gin'"]
    if name not in OFFLINE:
        text = config.load(name).text
        changes += [f'{key} = @sources.synthetic()' for key in _SOURCE.findall(text)]
    return changes


def experiment_with(model: str) -> str:
    """Returns the smallest experiment that uses a model: an offline one if there is any."""
    from garden.engine import config

    order = sorted(NAMES, key=lambda name: name not in OFFLINE)
    for name in order:
        if re.search(rf'@(?:\w+/)*models\.{model}\(', config.load(name).text):
            return name
    raise AssertionError(f'No experiment uses models.{model}: every model comes with one.')
