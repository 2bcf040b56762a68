"""Checkpoints by themselves: damage is found, whatever bit it hits."""

import random

import numpy as np
import pytest
import tensorflow as tf
from toy import Toy

from garden.engine.checkpoints import Checkpoints


@pytest.fixture
def make(tmp_path, one_device):
    """Returns a function that makes a task and its checkpoints in one folder."""

    def made(**settings):
        with one_device.scope():
            task = Toy()
        objects = {'task': task}
        folders = tmp_path / 'last', tmp_path / 'best'
        return task, Checkpoints(*folders, one_device, objects, **settings)

    return made


def values(task):
    return [variable.numpy() for variable in (*task.model.variables, *task.optimizer.variables)]


@pytest.mark.parametrize('kind', ['data', 'index'])
def test_no_flipped_bit_is_taken_for_good(make, tmp_path, kind):
    task, checkpoints = make()
    checkpoints.save(1)
    good = values(task)
    (path,) = (tmp_path / 'last').glob(f'ckpt-1.{kind}*')
    content = path.read_bytes()
    generator = random.Random(0)
    found = 0
    for _ in range(20):
        place, bit = generator.randrange(len(content)), generator.randrange(8)
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        path.write_bytes(bytes(damaged))
        if checkpoints.try_restore(str(tmp_path / 'last/ckpt-1')):
            # The few bits that nothing depends on, such as padding.
            for old, new in zip(good, values(task), strict=True):
                np.testing.assert_array_equal(old, new)
        else:
            found += 1
    assert found >= 15


def test_a_damaged_checkpoint_is_named_in_the_log(make, tmp_path, caplog):
    _, checkpoints = make()
    checkpoints.save(1)
    checkpoints.save(2)
    (path,) = (tmp_path / 'last').glob('ckpt-2.data*')
    path.write_bytes(b'')
    assert checkpoints.restore_latest() == 1
    assert [str(tmp_path / 'last/ckpt-2') in record.getMessage() for record in caplog.records]


def test_a_restart_keeps_as_many_as_before_and_the_best(make, tmp_path):
    _, checkpoints = make(keep=2)
    for step in (1, 2, 3):
        checkpoints.save(step)
    checkpoints.save_best(2)
    _, again = make(keep=2)
    assert again.restore_latest() == 3
    again.save(3)  # It is there already.
    again.save(4)
    assert kept(tmp_path / 'last') == [3, 4]
    assert kept(tmp_path / 'best') == [2]
    again.save_best(4)
    assert kept(tmp_path / 'best') == [4]


def kept(folder):
    return sorted(int(path.stem.split('-')[1]) for path in folder.glob('*.index'))


def test_a_reader_leaves_the_folder_of_another_process_as_it_is(make, one_device, tmp_path):
    _, checkpoints = make()
    checkpoints.save(1)
    # As a process that trains has it while it saves.
    (tmp_path / 'last/ckpt-2_temp').mkdir()
    (tmp_path / 'last/ckpt-2_temp/part').write_bytes(b'half')
    before = sorted(tmp_path.glob('last/**/*'))
    with one_device.scope():
        task = Toy()
    own = tmp_path / 'own', tmp_path / 'own_best'
    reader = Checkpoints(*own, one_device, {'task': task}, read_from=tmp_path / 'last')
    assert reader.restore_latest() == 1
    reader.save_best(1)
    assert sorted(tmp_path.glob('last/**/*')) == before
    assert kept(tmp_path / 'own_best') == [1]


def test_a_checkpoint_that_shares_nothing_with_the_task_is_not_taken(make, tmp_path):
    from garden.core.errors import UserError

    other = tf.train.Checkpoint(something=tf.Variable(1.0))
    other.write(str(tmp_path / 'last/ckpt-7'))
    _, checkpoints = make()
    with pytest.raises(UserError, match='does not fit this configuration'):
        checkpoints.restore_latest()
