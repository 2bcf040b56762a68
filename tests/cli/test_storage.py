"""Storage that fails under a real run: one line, status 74, and what was saved is as it was."""

import shutil
import subprocess
import time

import pytest

SETTINGS = (
    "include 'base/smoke.gin'",
    'train_steps = 1000000',
    'garden.phase.steps_per_loop = 2',
    'garden.phase.eval_interval = 1000000',
    'garden.phase.checkpoint_interval = 4',
    'garden.phase.keep_checkpoints = 1000',
)
pytestmark = pytest.mark.slow


@pytest.fixture
def launch(launcher):
    """Returns a function that starts a long run, or another, in a folder."""

    def start(folder, *settings):
        bindings = [f'--gin={setting}' for setting in (*SETTINGS, *settings)]
        run = ('--experiment=regnety_mini', f'--model_dir={folder}', '--allow_config_change')
        return launcher.start(*run, *bindings)

    return start


def saved(folder):
    """The bytes of the whole checkpoints, by name."""
    wholes = {path.stem for path in folder.glob('main/checkpoints/*.index')}
    found = folder.glob('main/checkpoints/ckpt-*.*')
    return {path.name: path.read_bytes() for path in found if path.name.split('.')[0] in wholes}


def wait_for(process, folder, checkpoints):
    while len(list(folder.glob('main/checkpoints/*.index'))) < checkpoints:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)


def fails(process, *parts):
    _, errors = process.communicate(timeout=300)
    lines = [line for line in errors.splitlines() if line.strip()]
    assert process.returncode == 74, errors
    assert len(lines) == 1, errors
    assert lines[0].startswith('error: ')
    for part in parts:
        assert part in lines[0]


def goes_on(launch, folder):
    """The same command ends well once the storage is mended."""
    last = max(int(p.stem.split('-')[1]) for p in folder.glob('main/checkpoints/*.index'))
    done = launch(folder, f'train_steps = {last + 2}')
    _, errors = done.communicate(timeout=300)
    assert done.returncode == 0, errors


def test_a_full_disk(disk, launch):
    subprocess.run(['mount', '-o', 'remount,size=4m', str(disk)], check=True)
    folder = disk / 'run'
    process = launch(folder)
    wait_for(process, folder, 2)
    before = saved(folder)
    fails(process, 'No space left')  # Checkpoints fill it: a thousand are kept.
    assert before.items() <= saved(folder).items()
    subprocess.run(['mount', '-o', 'remount,size=16m', str(disk)], check=True)
    goes_on(launch, folder)


@pytest.mark.exhaustive  # It fails as a full disk does; tests/engine/test_storage.py has both.
def test_a_folder_that_becomes_read_only(read_only, launch, tmp_path):
    folder = tmp_path / 'run'
    process = launch(folder)
    wait_for(process, folder, 2)
    read_only(folder)
    before = saved(folder)
    fails(process, 'Read-only file system')
    assert before.items() <= saved(folder).items()
    fails(launch(folder), 'cannot be written')
    read_only.release()
    goes_on(launch, folder)


def test_a_folder_that_vanishes(launch, tmp_path):
    folder = tmp_path / 'run'
    process = launch(folder)
    wait_for(process, folder, 2)
    folder.rename(tmp_path / 'elsewhere')  # At one moment, which removing file by file is not.
    fails(process, 'gone')
    assert not folder.exists()
    shutil.rmtree(tmp_path / 'elsewhere')


def test_a_damaged_checkpoint_is_named_on_the_terminal(launch, tmp_path):
    folder = tmp_path / 'run'
    first = launch(folder, 'train_steps = 8')
    assert first.wait(timeout=300) == 0
    path = next(folder.glob('main/checkpoints/ckpt-8.data*'))
    path.write_bytes(path.read_bytes()[:1000])
    again = launch(folder, 'train_steps = 8')
    _, errors = again.communicate(timeout=300)
    assert again.returncode == 0
    assert 'ckpt-8 cannot be read' in errors
    assert 'Traceback' not in errors
