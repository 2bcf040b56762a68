"""The run folder's files, whole and broken."""

import json
import subprocess
import sys

import numpy as np
import pytest

from garden.core.errors import UserError
from garden.engine import provenance
from garden.engine.run_folder import RunFolder


def row(step, kind='train', phase='main'):
    return {'phase': phase, 'kind': kind, 'step': step}


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / 'run')
    made.create()
    return made


def test_a_line_that_was_cut_short_is_left_out(folder):
    folder.append_metrics(row(1))
    with folder.metrics.open('a') as file:
        file.write('[1, 2]\n{"phase": "main", "ki')
    assert list(folder.read_metrics()) == [row(1)]


def test_rewinding_keeps_other_phases_and_recoveries(folder):
    kept = [row(9, phase='other'), row(5), row(5, 'eval'), row(8, 'recovery')]
    for line in (*kept, row(6), row(7, 'eval')):
        folder.append_metrics(line)
    folder.rewind_metrics('main', 5)
    assert list(folder.read_metrics()) == kept
    folder.rewind_metrics('main', 5, again=True)
    assert list(folder.read_metrics()) == [line for line in kept if line != row(5, 'eval')]


def test_a_picture_is_there_whole_or_as_it_was(folder, monkeypatch):
    picture = np.zeros([4, 4, 3], np.uint8)
    folder.write_pictures('main', {'samples': picture})
    before = folder.picture('main', 'samples').read_bytes()
    assert before.startswith(b'\x89PNG')

    def killed(self, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(folder.path), 'replace', killed)
    with pytest.raises(KeyboardInterrupt):
        folder.write_pictures('main', {'samples': picture + 255})
    assert folder.picture('main', 'samples').read_bytes() == before
    assert len(list(folder.pictures.glob('*.png'))) == 1


def test_each_launch_is_noted_even_after_a_broken_note(folder, monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['/somewhere/launch.py', '--x'])
    folder.note_launch(provenance.launch(0, '1 x CPU'))
    (folder.path / 'run.json').write_text('{"launches": [')
    folder.note_launch(provenance.launch(3, '1 x CPU'))
    (launch,) = json.loads((folder.path / 'run.json').read_text())['launches']
    assert launch['command'] == ['launch.py', '--x']
    assert launch['seed'] == 3
    assert {'numpy', 'tensorflow', 'tf_keras', 'garden'} <= set(launch['versions'])


def test_two_processes_do_not_train_in_one_folder(folder):
    code = (
        'import sys\n'
        'from garden.engine.run_folder import RunFolder\n'
        'with RunFolder(sys.argv[1]).locked():\n'
        '    print("locked", flush=True)\n'
        '    sys.stdin.readline()\n'
    )
    other = subprocess.Popen(
        [sys.executable, '-c', code, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdout.readline() == 'locked\n'
    with pytest.raises(UserError, match='Another process is training'), folder.locked():
        pass
    other.kill()
    other.wait()
    with folder.locked():
        pass


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(UserError, match='file cannot be made'):
        RunFolder(tmp_path / 'file').create()


def test_a_folder_is_busy_while_it_is_trained_in(folder):
    assert not folder.busy
    with folder.locked():
        assert folder.busy
    assert not folder.busy
