"""The experiments and models that the conformance tests run over."""

import re

import pytest

from garden import registry
from garden.engine import experiments

EXPERIMENTS = {experiment.name: experiment for experiment in experiments.catalogue()}
NAMES = sorted(EXPERIMENTS)
OFFLINE = [name for name in NAMES if EXPERIMENTS[name].header.offline]
# Tracing a full-sized network takes long; the siblings go through the same code.
TRAINED = [
    name if name in OFFLINE else pytest.param(name, marks=pytest.mark.slow) for name in NAMES
]
MODELS = registry.names('models')

_SOURCE = re.compile(r'^(\S+) = @(?:\w+/)*sources\.\w+\(\)$', re.MULTILINE)


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
        if f'@models.{model}(' in config.load(name).text:
            return name
    raise AssertionError(f'No experiment uses models.{model}: every model comes with one.')
