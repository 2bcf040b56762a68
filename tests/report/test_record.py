"""What is read of a run, in whatever state the run is."""

import json
import math

import pytest
from run_folders import CONFIG, eval_row, train_row, write_rows, write_run

from garden.engine.run_folder import RunFolder
from garden.report.record import read

TWO_PHASES = """\
garden.experiment.phases = [@a/garden.phase(), @b/garden.phase()]
a/garden.phase.name = 'main'
b/garden.phase.name = 'second'
garden.phase.train_steps = {steps}
"""
ROWS = [train_row(50), eval_row(50), train_row(100), eval_row(100, top1=0.95)]


def states(folder):
    return {phase.name: phase.state for phase in read(folder, 'run').phases}


def test_a_finished_run(tmp_path):
    record = read(write_run(tmp_path / 'run', ROWS), 'run')
    (phase,) = record.phases
    assert (record.name, phase.state, phase.step) == ('toy', 'finished', 100)
    assert phase.last('eval') == (100, {'top1': 0.95})
    assert phase.curves['train']['loss'] == {50: 1 / 50, 100: 1 / 100}
    assert [str(target) for target in phase.targets] == ['top1 >= 0.9']
    assert phase.training_seconds == pytest.approx(100 / 20.0)
    assert phase.networks['model']['parts'][0]['name'] == 'stem'
    assert record.versions['numpy'] == '2.0.0'


def test_a_run_that_is_going_on_and_one_that_is_left(tmp_path):
    folder = write_run(tmp_path / 'run', ROWS[:2], ended=False)
    with RunFolder(folder).locked():
        assert states(folder) == {'main': 'running'}
    assert states(folder) == {'main': 'unfinished'}


def test_a_run_that_has_just_begun(tmp_path):
    folder = write_run(tmp_path / 'run', ended=False, config=TWO_PHASES)
    assert states(folder) == {'main': 'not begun', 'second': 'not begun'}
    (folder / 'main' / 'checkpoints').mkdir()
    (folder / 'main' / 'checkpoints' / 'ckpt-0.index').touch()
    with RunFolder(folder).locked():
        assert states(folder) == {'main': 'running', 'second': 'not begun'}
    assert states(folder) == {'main': 'unfinished', 'second': 'not begun'}


def test_a_phase_that_is_still_to_come(tmp_path):
    folder = write_run(tmp_path / 'run', ROWS, config=TWO_PHASES)
    assert states(folder) == {'main': 'finished', 'second': 'not begun'}


def test_a_run_that_diverged(tmp_path):
    rows = [train_row(50), {**train_row(100), 'loss': None}]
    folder = write_run(tmp_path / 'run', rows, ended=False)
    (phase,) = read(folder, 'run').phases
    assert phase.state == 'diverged'
    assert phase.curves['train']['loss'] == {50: 1 / 50, 100: None}


def test_a_run_that_patience_has_ended(tmp_path):
    folder = write_run(tmp_path / 'run', ROWS, steps=900)
    told = {'phase': 'main', 'best': {'step': 50, 'top1': 0.8}, 'stopped_early': True}
    (folder / 'summary.json').write_text(json.dumps({'phases': [told]}))
    (phase,) = read(folder, 'run').phases
    assert phase.state == 'stopped early'
    assert phase.best == {'step': 50, 'top1': 0.8}


def test_weights_that_were_only_evaluated(tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    write_rows(folder / 'evaluations.jsonl', [eval_row(0, top1=0.7)])
    told = {'phase': 'main', 'step': 0, 'best': None, 'targets': {'top1 >= 0.9': False}}
    (folder / 'evaluation.json').write_text(json.dumps({'phases': [told]}))
    (phase,) = read(folder, 'run').phases
    assert (phase.state, phase.last('eval')) == ('evaluated', (0, {'top1': 0.7}))
    assert [str(target) for target in phase.targets] == ['top1 >= 0.9']


def test_of_a_step_that_was_taken_twice_the_later_counts(tmp_path):
    rows = [train_row(50, loss=9.0), eval_row(50, top1=0.1), train_row(50), eval_row(50)]
    (phase,) = read(write_run(tmp_path / 'run', rows), 'run').phases
    assert phase.curves['train']['loss'] == {50: 1 / 50}
    assert phase.curves['eval']['top1'] == {50: 0.8}


def test_what_the_trainer_has_found_goes_before_what_others_have(tmp_path):
    folder = write_run(tmp_path / 'run', [train_row(50), eval_row(50)])
    write_rows(folder / 'evaluations.jsonl', [eval_row(50, top1=0.1), eval_row(100, top1=0.2)])
    (phase,) = read(folder, 'run').phases
    assert phase.curves['eval']['top1'] == {50: 0.8, 100: 0.2}


def test_what_a_kill_has_left_is_read_as_far_as_it_goes(tmp_path):
    folder = write_run(tmp_path / 'run', ROWS)
    with (folder / 'metrics.jsonl').open('a') as file:
        file.write('{"phase": "main", "kind": "train", "st')
    for name in ('run.json', 'summary.json', 'networks.json'):
        (folder / name).write_text('{"launches": [')
    record = read(folder, 'run')
    assert record.phases[0].step == 100
    assert record.phases[0].networks == {}
    assert (record.launches, record.versions) == ([], {})


def test_going_back_and_bad_examples_are_kept(tmp_path):
    recovery = {'phase': 'main', 'kind': 'recovery', 'step': 60, 'restored': 50, 'what': ['loss']}
    bad = {'phase': 'main', 'kind': 'bad_example', 'place': 'a.tfrecord:3', 'problem': 'no JPEG'}
    rows = [train_row(50), recovery, {**bad, 'step': 55}, {**bad, 'step': 80}, train_row(100)]
    (phase,) = read(write_run(tmp_path / 'run', rows), 'run').phases
    assert [row['restored'] for row in phase.recoveries] == [50]
    assert [row['place'] for row in phase.bad_examples] == ['a.tfrecord:3']


def test_a_configuration_that_cannot_be_read_costs_the_settings_alone(tmp_path):
    folder = write_run(tmp_path / 'run', ROWS)
    (folder / 'config.gin').write_text(CONFIG[:-30])
    record = read(folder, 'run')
    assert record.settings.problem
    assert record.phases[0].settings.train_steps is None
    assert math.isclose(record.phases[0].last('eval')[1]['top1'], 0.95)
