"""What holds for every experiment file, without a line of its own."""

import collections

import numpy as np
import pytest
import tensorflow as tf
from catalogue import (
    EXPERIMENTS,
    FULL_SIZED,
    NAMES,
    OFFLINE,
    costly,
    exhaustive,
    runs_on_replicas,
    stand_ins,
)

from garden.engine import config, experiments


def test_names_are_unique():
    counts = collections.Counter(experiment.name for experiment in experiments.catalogue())
    assert [name for name, count in counts.items() if count > 1] == []


@pytest.mark.parametrize('name', NAMES)
def test_the_header_says_what_a_user_must_know(name):
    header = EXPERIMENTS[name].header
    assert header.summary.endswith('.')
    missing = [field for field in experiments.REQUIRED_FIELDS if not header.fields.get(field)]
    assert missing == []
    assert f'--experiment={name}' in header.fields['Command']


@pytest.mark.parametrize('name', OFFLINE)
def test_an_offline_experiment_is_held_to_the_target_that_it_states(name):
    header = EXPERIMENTS[name].header
    targets = config.load(name).get('garden.phase.targets')
    assert header.fields['Target'] == ', '.join(targets)


@pytest.mark.parametrize('name', NAMES)
def test_every_setting_is_read_by_something(name, one_device, small):
    _, trainers, loaded = small(name, one_device, mode='describe', shrink=False)
    assert trainers
    assert loaded.unused() == []


@pytest.mark.parametrize('name', stand_ins(OFFLINE))
def test_it_takes_two_steps_and_can_be_continued(name, one_device, small, tmp_path):
    results, trainers, _ = small(name, one_device)
    for result, trainer in zip(results, trainers, strict=True):
        assert result.step == int(trainer.global_step.numpy()) == 2
        assert result.metrics
        assert all(np.isfinite(value) for value in result.metrics.values()), result.metrics
    before = [variable.numpy() for variable in trainers[-1].task.variables]
    stored = tf.train.list_variables(
        tf.train.latest_checkpoint(str(tmp_path / 'run' / results[-1].phase / 'checkpoints'))
    )
    _, resumed, _ = small(name, one_device, mode='eval')
    for old, variable in zip(before, resumed[-1].task.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    _, longer, _ = small(name, one_device, overrides=['train_steps = 3'])
    again = tf.train.list_variables(
        tf.train.latest_checkpoint(str(tmp_path / 'run' / results[-1].phase / 'checkpoints'))
    )
    assert int(longer[-1].global_step.numpy()) == 3
    # A variable that first appears in a later step would be missing from early checkpoints.
    assert [name for name, _ in again] == [name for name, _ in stored]


# test_resuming.py holds them to more, in make test-exhaustive.
@pytest.mark.parametrize('name', costly(FULL_SIZED))
def test_a_full_sized_one_takes_two_steps(name, one_device, small):
    results, _, _ = small(name, one_device)
    for result in results:
        assert result.step == 2
        assert all(np.isfinite(value) for value in result.metrics.values()), result.metrics


# Their offline siblings are held to more in test_resuming.py.
@pytest.mark.parametrize('name', exhaustive(FULL_SIZED))
def test_it_runs_on_two_replicas(name, two_replicas, small):
    if not runs_on_replicas(name):
        pytest.skip('runs on one device by its nature')
    results, _, _ = small(name, two_replicas)
    assert all(np.isfinite(value) for result in results for value in result.metrics.values())


@pytest.mark.parametrize('name', NAMES)
def test_the_resolved_configuration_launches_by_itself(name, tmp_path):
    loaded = config.load(name)
    path = tmp_path / 'config.gin'
    path.write_text(loaded.text)
    again = config.load(str(path))
    assert again.text == loaded.text
    assert again.name == name


@pytest.mark.timeout(900)
@pytest.mark.parametrize('name', costly(OFFLINE))
def test_an_offline_experiment_reaches_its_target(name, one_device, small):
    results, _, _ = small(name, one_device, shrink=False)
    targets = {target: met for result in results for target, met in result.targets.items()}
    assert targets
    assert all(targets.values()), [result.metrics for result in results]
