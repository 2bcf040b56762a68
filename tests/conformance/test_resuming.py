"""An experiment killed at any step comes to the same end, bit for bit."""

import json
import os
import random
import signal

import numpy as np
import processes
import pytest
import tensorflow as tf
from catalogue import FULL_SIZED, OFFLINE, costly, exhaustive, made_small, runs_on_replicas

from garden.engine.checkpoints import UNREADABLE

LENGTH = (
    'train_steps = 4',
    'garden.phase.checkpoint_interval = 1',
    'garden.phase.keep_checkpoints = 9',
)


def values(path):
    """Every number of a checkpoint, optimizer slots included, by its name."""
    reader = tf.train.load_checkpoint(str(path))
    # The description of the objects holds no numbers, but names that depend on the process.
    names = set(reader.get_variable_to_shape_map()) - {'_CHECKPOINTABLE_OBJECT_GRAPH'}
    # A string, which Python state is kept as, comes as bytes and no array.
    return {name: np.asarray(reader.get_tensor(name)).tobytes() for name in names}


def last_values(folder):
    """Every number of the last checkpoints of all phases."""
    return {
        state.parent.name: values(tf.train.latest_checkpoint(str(state)))
        for state in folder.glob('*/checkpoints')
    }


def rows(folder, kind):
    lines = (folder / 'metrics.jsonl').read_text().splitlines()
    return [row for row in map(json.loads, lines) if row['kind'] == kind]


def written(folder):
    """When each checkpoint was written, but one that a kill has cut short."""
    indices = folder.glob('*/checkpoints/*.index')
    return {path: path.stat().st_mtime_ns for path in indices if whole(path.with_suffix(''))}


def whole(path):
    try:
        return bool(values(path))
    except UNREADABLE:
        return False


@pytest.fixture
def launch(tmp_path, data_folder):
    """Returns a function that runs an experiment in a folder, in a process of its own."""

    def run(name, folder, replicas, kill_after=None):
        changes = [*made_small(name), *LENGTH]
        arguments = [f'--experiment={name}', f'--model_dir={tmp_path / folder}']
        arguments += [f'--devices={replicas}', *(f'--gin={change}' for change in changes)]
        log = tmp_path / f'{folder}.log'
        variables = [('TFDS_DATA_DIR', os.environ['TFDS_DATA_DIR'])]
        status = processes.launch(arguments, log, variables, kill_after)
        assert status == (0 if kill_after is None else -signal.SIGKILL), log.read_text()

    return run


@pytest.mark.parametrize('name', exhaustive(FULL_SIZED))
def test_a_run_killed_at_a_random_step_comes_to_the_same_end(name, launch, tmp_path):
    kill_and_compare(name, 1, launch, tmp_path)


@pytest.mark.parametrize('name', costly(OFFLINE))
def test_so_does_an_offline_one_on_two_replicas(name, launch, tmp_path):
    kill_and_compare(name, 2 if runs_on_replicas(name) else 1, launch, tmp_path)


def kill_and_compare(name, replicas, launch, tmp_path):
    straight, killed = tmp_path / 'straight', tmp_path / 'killed'
    launch(name, 'straight', replicas)
    evaluations = rows(straight, 'eval')
    assert evaluations
    assert None not in [number for row in evaluations for number in row.values()]

    seed = random.randrange(2**32)
    loops = random.Random(seed).randrange(2, len(rows(straight, 'train')))
    print(f'seed {seed}: killed after loop {loops}')
    launch(name, 'killed', replicas, kill_after=loops)
    saved = written(killed)
    assert saved
    launch(name, 'killed', replicas)
    # What was there was gone on from, not made anew.
    assert saved.items() <= written(killed).items()
    assert last_values(killed) == last_values(straight)
    assert rows(killed, 'eval') == evaluations
    for phase, last in last_values(straight).items():
        # A variable that first appears in a later step would be missing from early checkpoints.
        assert values(straight / phase / 'checkpoints/ckpt-0').keys() == last.keys()
        assert len(last) > 2


class Killed(Exception):
    """Stands for SIGKILL: nothing that was not saved before survives it."""


class Killer:
    """An observer that ends the run at a given step, as if it had been killed there."""

    def __init__(self, step):
        self._step = step

    def trained(self, step, metrics):
        if step == self._step:
            raise Killed

    def evaluated(self, step, metrics, pictures):
        pass

    def recovered(self, step, restored, what):
        pass


# One that is compiled, one that is not: one of each task is killed above.
QUICK = ('vae_mini', 'numpy_gan_mini')


@pytest.mark.parametrize('name', [*QUICK, *exhaustive(sorted({*OFFLINE} - {*QUICK}))])
def test_a_broken_off_run_on_two_replicas_goes_on_bit_for_bit(
    name, one_device, two_replicas, small, tmp_path
):
    strategy = two_replicas if runs_on_replicas(name) else one_device
    length = ['train_steps = 5', 'garden.phase.checkpoint_interval = 2']
    results, (trainer, *_), _ = small(name, strategy, overrides=length, folder='straight')
    assert all(np.isfinite(value) for result in results for value in result.metrics.values())
    step = random.Random(name).choice([3, 4])
    with pytest.raises(Killed):
        small(name, strategy, overrides=length, folder='killed', observers=[Killer(step)])
    small(name, strategy, overrides=length, folder='killed')
    straight, killed = (last_values(tmp_path / run) for run in ('straight', 'killed'))
    assert sum(map(len, straight.values())) >= len(trainer.task.variables)
    assert killed == straight
