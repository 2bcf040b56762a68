"""Storage that fails: one line, the last good checkpoint untouched; mended, the same end."""

import shutil

import pytest
from running import fingerprint
from toy import full

from garden.core.errors import StorageError, user_error_in
from garden.engine.checkpoints import Checkpoints
from garden.engine.interruption import Interruption
from garden.engine.run_folder import RunFolder


class Then(Interruption):
    """Calls a function at the end of the n-th loop: a fault that comes in the midst of training."""

    def __init__(self, count, fault):
        super().__init__()
        self._left, self._fault = count, fault

    @property
    def requested(self):
        self._left -= 1
        if self._left == 0:
            self._fault()
        return False


def fill(folder, room):
    """Fills a disk but for some bytes."""
    spare = folder / 'spare'
    spare.write_bytes(bytes(room))
    with (folder / 'ballast').open('wb', buffering=0) as file:
        try:
            while file.write(bytes(1024)):
                pass
        except OSError:
            pass
    spare.unlink()


def checkpoints(folder):
    """The bytes of all whole checkpoints."""
    wholes = [path.stem for path in folder.glob('main/checkpoints/*.index')]
    return {
        path.name: path.read_bytes()
        for path in folder.glob('main/checkpoints/ckpt-*.*')
        if path.name.split('.')[0] in wholes
    }


def fails(run, *parts):
    with pytest.raises(Exception) as caught:
        run()
    mistake = user_error_in(caught.value)  # Gin adds lines of its own to what it lets through.
    assert isinstance(mistake, StorageError), repr(caught.value)
    message = str(mistake)
    assert '\n' not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize('background', [True, False])
@pytest.mark.parametrize('room', [0, 12 * 1024])
def test_a_full_disk(disk, one_device, runner, straight, background, room):
    phase = full(background_checkpoints=background, keep_checkpoints=9)
    before = {}

    def fault():
        fill(disk, room)
        before.update(checkpoints(disk / 'run'))

    fails(lambda: runner(one_device, phase, folder=disk / 'run', interruption=Then(5, fault)))
    assert len(before) >= 2
    assert before.items() <= checkpoints(disk / 'run').items()
    (disk / 'ballast').unlink()
    _, (resumed,) = runner(one_device, phase, folder=disk / 'run')
    assert fingerprint(resumed) == straight(one_device).fingerprint


def test_a_folder_that_becomes_read_only(read_only, tmp_path, one_device, runner, straight):
    folder, before = tmp_path / 'run', {}

    def fault():
        read_only(folder)
        before.update(checkpoints(folder))

    fails(
        lambda: runner(one_device, full(keep_checkpoints=9), interruption=Then(5, fault)),
        'Read-only file system',
    )
    assert before and before.items() <= checkpoints(folder).items()
    fails(lambda: runner(one_device, full(keep_checkpoints=9)), 'cannot be written')
    read_only.release()
    _, (resumed,) = runner(one_device, full(keep_checkpoints=9))
    assert fingerprint(resumed) == straight(one_device).fingerprint


def test_a_folder_that_is_read_only_from_the_start(read_only, tmp_path):
    read_only(tmp_path)
    fails(RunFolder(tmp_path).create, 'cannot be written to')
    fails(RunFolder(tmp_path / 'run').create, 'cannot be made', 'Read-only')


def vanish(folder):
    # By another name first: what is being written would keep it from being empty.
    shutil.rmtree(folder.rename(folder.with_name('gone')))


@pytest.mark.parametrize('background', [True, False])
@pytest.mark.parametrize('loops', [3, 4, 5])
def test_a_folder_that_vanishes_is_not_made_anew(
    tmp_path, one_device, runner, monkeypatch, background, loops
):
    folder = tmp_path / 'run'
    phase = full(background_checkpoints=background)
    save, savers = Checkpoints.save, []

    def noted(self, step):
        savers.append(self)
        save(self, step)

    monkeypatch.setattr(Checkpoints, 'save', noted)

    def remove():
        savers[-1].finish()  # TensorFlow makes the folder of a write that is about to begin.
        vanish(folder)

    fails(lambda: runner(one_device, phase, interruption=Then(loops, remove)))
    assert not list(tmp_path.glob('run/**/*'))


@pytest.mark.parametrize('loops', [3, 4, 5])
def test_a_folder_that_vanishes_at_any_moment_ends_the_run_in_one_line(
    tmp_path, one_device, runner, loops
):
    folder = tmp_path / 'run'
    phase = full(background_checkpoints=True)
    fails(lambda: runner(one_device, phase, interruption=Then(loops, lambda: vanish(folder))))


def test_the_last_save_of_a_run_that_fails_in_the_background_is_told(disk, one_device, runner):
    phase = full(train_steps=20, eval_interval=10, checkpoint_interval=20, best_metric=None)
    run = disk / 'run'
    # Evaluated and about to be saved for the last time, by a thread.
    saves = []

    def fault():
        saves.append(checkpoints(run).keys())
        fill(disk, 12 * 1024)

    fails(
        lambda: runner(one_device, phase, folder=run, interruption=Then(4, fault)),
        'A checkpoint cannot be written',
    )
    assert saves[0] <= checkpoints(run).keys()
