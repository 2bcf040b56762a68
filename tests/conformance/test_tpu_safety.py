"""Every experiment whose header names TPUs can be lowered for one; no TPU is needed to see that."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from catalogue import EXPERIMENTS, OFFLINE, costly, exhaustive, tasks_of

from garden.engine import tpu_safety
from garden.layers import grouped_conv

# Lowering a full-sized network takes long; the others of a family go through the same code.
FAMILIES = itertools.groupby(
    (experiment for experiment in EXPERIMENTS.values() if experiment.header.tpu),
    key=lambda experiment: experiment.family,
)
TPU = [[experiment.name for experiment in family] for _, family in FAMILIES]
FIRST = [family[0] for family in TPU]
OTHERS = [name for family in TPU for name in family[1:]]
SIBLINGS = [name for name in OFFLINE if tasks_of(name) in map(tasks_of, FIRST)]


@pytest.fixture
def kernels_of_tpus(monkeypatch):
    """Lets layers choose as they do in the scope of a strategy for TPUs.

    What they choose for XLA on CPUs, where grouped convolutions have no good gradient, says nothing
    of TPUs.
    """
    monkeypatch.setattr(grouped_conv, '_on_accelerator', lambda: True)


@pytest.mark.parametrize('name', [*FIRST, *costly(OTHERS)])
def test_a_tpu_could_take_its_steps(name, small, kernels_of_tpus):
    _, trainers, _ = small(name, tpu_safety.Rehearsal(), mode='describe')
    assert trainers
    for trainer in trainers:
        tpu_safety.check(trainer)


class Compiled(tf.distribute.OneDeviceStrategy):
    """Runs each replica step as XLA compiles it, as a TPU's strategy does, on the CPU."""

    def run(self, fn, args=(), kwargs=None, options=None):
        return super().run(tf.function(fn, jit_compile=True), args, kwargs, options)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize('name', [*costly(SIBLINGS), *exhaustive(FIRST)])
def test_its_steps_compile_and_run(name, small):
    """Nothing stands in for XLA's compiler here, but for CPUs it is slow: minutes for a network."""
    results, _, _ = small(name, Compiled('/cpu:0'))
    for result in results:
        assert result.step == 2
        assert all(np.isfinite(value) for value in result.metrics.values()), result.metrics


def test_there_are_experiments_for_tpus():
    assert FIRST
