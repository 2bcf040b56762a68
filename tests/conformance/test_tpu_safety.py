"""Every experiment whose header names TPUs can be lowered for one; no TPU is needed to see that."""

import itertools

import pytest
from catalogue import EXPERIMENTS

from garden.engine import tpu_safety
from garden.layers import grouped_conv

# Lowering a full-sized network takes long; the others of a family go through the same code.
FAMILIES = itertools.groupby(
    (experiment for experiment in EXPERIMENTS.values() if experiment.header.tpu),
    key=lambda experiment: experiment.family,
)
TPU = [
    pytest.param(experiment.name, marks=[pytest.mark.slow] if position else [])
    for _, family in FAMILIES
    for position, experiment in enumerate(family)
]


@pytest.fixture
def kernels_of_tpus(monkeypatch):
    """Lets layers choose as they do in the scope of a strategy for TPUs.

    What they choose for XLA on CPUs, where grouped convolutions have no good gradient, says nothing
    of TPUs.
    """
    monkeypatch.setattr(grouped_conv, '_on_accelerator', lambda: True)


@pytest.mark.parametrize('name', TPU)
def test_a_tpu_could_take_its_steps(name, small, kernels_of_tpus):
    _, trainers, _ = small(name, tpu_safety.Rehearsal(), mode='describe')
    assert trainers
    for trainer in trainers:
        tpu_safety.check(trainer)


def test_there_are_experiments_for_tpus():
    assert TPU
