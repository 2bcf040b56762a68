"""What TensorBoard shows of a run that was killed or went back."""

import numpy as np
import pytest
import tensorflow as tf
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from test_experiment import After, Exploding
from toy import full

from garden.engine.experiment import Phase
from garden.engine.interruption import Interruption


class Killed(Exception):
    pass


class Kill(After):
    """Ends the run at the n-th look, with nothing saved."""

    @property
    def requested(self):
        if Interruption.requested.fget(self) or After.requested.fget(self):
            raise Killed
        return False


def shown(folder, kind, tag):
    """The points that TensorBoard draws."""
    events = EventAccumulator(str(folder / 'main/events' / kind))
    events.Reload()
    return [(e.step, float(tf.make_ndarray(e.tensor_proto))) for e in events.Tensors(tag)]


def test_a_killed_run_has_each_point_once(one_device, runner, tmp_path):
    runner(one_device, full(checkpoint_interval=30), folder='straight')
    with pytest.raises(Killed):
        runner(one_device, full(checkpoint_interval=30), folder='broken', interruption=Kill(9))
    runner(one_device, full(checkpoint_interval=30), folder='broken')
    runner(one_device, full(checkpoint_interval=30), folder='broken')  # Evaluates once more.
    for kind, tag in (('eval', 'error'), ('train', 'loss')):
        straight, broken = (shown(tmp_path / f, kind, tag) for f in ('straight', 'broken'))
        steps = [step for step, _ in broken]
        assert steps == sorted(set(steps))
        assert steps[-1] == straight[-1][0] == 60
        values = dict(straight)
        for step, value in broken:
            if kind == 'eval' or step in values:
                np.testing.assert_allclose(value, values[step], rtol=1e-6)


def test_a_run_that_went_back_has_each_point_once(one_device, runner, tmp_path):
    phase = Phase(
        task=lambda: Exploding(attempts=1),
        train_steps=60,
        steps_per_loop=5,
        eval_interval=20,
        checkpoint_interval=20,
    )
    runner(one_device, phase)
    steps = [step for step, _ in shown(tmp_path / 'run', 'train', 'loss')]
    assert steps == list(range(5, 65, 5))
