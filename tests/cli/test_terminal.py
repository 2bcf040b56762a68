"""What the terminal shows of tasks and numbers of all kinds."""

import types

import numpy as np
import pytest
import tensorflow as tf

from garden.cli import terminal as terminal_lib
from garden.cli.terminal import Terminal
from garden.engine.experiment import Phase, Result
from garden.engine.run_folder import RunFolder


@pytest.fixture
def terminal(tmp_path, one_device, capsys):
    config = types.SimpleNamespace(name='some_experiment')
    return Terminal(config, RunFolder(tmp_path / 'run[red]x'), one_device, 'train')


def phase(**settings):
    return Phase(task=lambda: None, train_steps=100, **settings)


def trainer(models, step=0):
    task = types.SimpleNamespace(models=lambda: models, facts=lambda: {'data': 'a [b] c'})
    return types.SimpleNamespace(task=task, global_step=tf.Variable(step))


def test_a_network_may_have_several_inputs(terminal, capsys):
    model = types.SimpleNamespace(trainable_variables=[tf.ones([3])], variables=[tf.ones([5])])
    spec = tf.TensorSpec([1, 2])
    terminal.built(phase(), trainer({'generator': (model, spec, spec)}))
    shown = capsys.readouterr().out
    assert '3 parameters trained, 2 kept beside them' in shown
    assert 'a [b] c' in shown


def test_numbers_that_are_not_finite_are_shown(terminal, capsys):
    line = terminal.observer(phase(), trainer({}))
    rates = {'steps_per_second': 10.0, 'examples_per_second': 0.0}
    line.trained(10, {'loss': float('nan'), **rates})
    line.trained(20, {'loss': float('inf'), **rates})
    line.evaluated(20, {'error': float('nan')}, {})
    line.recovered(20, 10, ['loss'])
    shown = capsys.readouterr().out
    assert 'loss nan' in shown
    assert 'loss inf' in shown
    assert 'back to step 10' in shown


def test_the_time_left_does_not_count_the_first_loop(terminal, capsys, monkeypatch):
    now = iter([100.0, 110.0])
    monkeypatch.setattr(terminal_lib.time, 'perf_counter', lambda: next(now))
    line = terminal.observer(phase(), trainer({}))
    rates = {'steps_per_second': 1.0, 'examples_per_second': 0.0}
    line.trained(10, rates)
    line.trained(20, rates)
    shown = capsys.readouterr().out
    assert '? left' in shown
    assert '1:20 left' in shown


def test_the_end_says_what_was_reached_and_where_it_lies(terminal, capsys):
    result = Result(
        phase='main',
        step=50,
        metrics={'top1': 494 / 500},
        best={'step': 40, 'top1': np.float64(0.99)},
        targets={'top1 >= 0.988': True, 'top1 >= 0.999': False},
        stopped_early=True,
        seconds=61.0,
    )
    terminal.finished([result])
    shown = capsys.readouterr().out
    assert 'top1 >= 0.988  met' in shown
    assert 'top1 >= 0.999  missed' in shown
    assert 'early' in shown
    assert '1:01' in shown
    assert 'run[red]x' in shown
