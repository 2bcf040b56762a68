"""Pictures out of event files are those that TensorBoard shows."""

import numpy as np
import pytest
import tensorflow as tf
from run_folders import picture
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator

from garden.report import events


def write(folder, steps, name='samples', start=None, shade=0):
    """Writes pictures as a session that goes on from a step."""
    before = set(folder.glob('*'))
    writer = tf.summary.create_file_writer(str(folder))
    if start is not None:
        session = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
        event = tf.compat.v1.Event(step=start, session_log=session)
        tf.raw_ops.ImportEvent(writer=writer._resource, event=event.SerializeToString())
    with writer.as_default():
        tf.summary.scalar('error', 1.0, step=0)
        for step in steps:
            tf.summary.image(name, picture(step + shade)[np.newaxis], step=step)
    writer.close()
    # Sessions begin at other seconds, and the names of their files with those.
    (path,) = set(folder.glob('*')) - before
    path.rename(folder / f'events.out.tfevents.{len(before)}')


def of_tensorboard(folder, name):
    accumulator = EventAccumulator(str(folder))
    accumulator.Reload()
    return {e.step: tf.make_ndarray(e.tensor_proto)[2] for e in accumulator.Tensors(name)}


@pytest.mark.parametrize('start', [None, 20])
def test_they_are_those_of_tensorboard(tmp_path, start):
    write(tmp_path, [10, 20, 30], start=0)
    write(tmp_path, [20, 30, 40] if start else [40], start=start, shade=1)
    expected = of_tensorboard(tmp_path, 'samples')
    found = events.pictures(tmp_path)
    assert set(found) == {'samples'}
    assert list(found['samples']) == [10, 20, 30, 40]
    assert {step: stored.png() for step, stored in found['samples'].items()} == expected


def test_a_file_that_is_being_written_ends_at_its_last_whole_record(tmp_path):
    write(tmp_path, [10, 20])
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-3])
    assert list(events.pictures(tmp_path)['samples']) == [10]


def test_there_need_be_no_folder(tmp_path):
    assert events.pictures(tmp_path / 'none') == {}


@pytest.mark.parametrize(
    ('steps', 'chosen'), [([1, 2, 3], [1, 2, 3]), (list(range(10, 110, 10)), [10, 40, 70, 100])]
)
def test_few_steps_stand_for_many(steps, chosen):
    assert events.spread(steps, 4) == chosen
