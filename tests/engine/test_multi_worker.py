"""Two worker processes on this machine: as good as two devices of one, and none goes on alone."""

import json
import signal

import pytest
from worker_processes import AGAIN, STEPS, Processes, advances, assert_same_end, ended, steps_saved

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope='module')
def processes(tmp_path_factory):
    started = Processes(tmp_path_factory.mktemp('data'))
    yield started
    started.end()


@pytest.fixture(scope='module')
def two_devices(processes, tmp_path_factory):
    """The folder of a run of one process; it prepares the data for all others."""
    folder = tmp_path_factory.mktemp('devices')
    statuses, outputs = ended(processes.small(folder, '--devices=2'))
    assert statuses == [0], outputs
    return folder


@pytest.fixture(scope='module')
def undisturbed(two_devices, processes, tmp_path_factory):
    """The folder of a run of two workers that nothing happened to."""
    folder = tmp_path_factory.mktemp('undisturbed')
    statuses, outputs = ended(*processes.pair(folder))
    assert statuses == [0, 0], outputs
    return folder


def test_two_workers_come_to_what_two_devices_of_one_come_to(two_devices, undisturbed):
    def metrics(folder):
        return json.loads((folder / 'summary.json').read_text())['phases'][0]['metrics']

    assert metrics(undisturbed) == pytest.approx(metrics(two_devices), rel=1e-4)


def test_only_the_chief_writes(undisturbed):
    assert len(json.loads((undisturbed / 'run.json').read_text())['launches']) == 1
    assert len((undisturbed / 'metrics.jsonl').read_text().splitlines()) == STEPS // 10 + 1
    assert sorted(path.name for path in undisturbed.iterdir() if path.is_dir()) == [
        'main',
        'pictures',
    ]


def test_whatever_ends_one_of_them_all_leave_and_go_on_to_the_same_end(
    processes, undisturbed, tmp_path
):
    workers = processes.pair(tmp_path)
    advances(workers[1])
    workers[1].terminate()
    statuses, outputs = ended(*workers, within=60)
    assert statuses == [AGAIN, AGAIN], outputs
    assert all('everything is saved' in output for output in outputs)
    assert 0 < steps_saved(tmp_path)[-1] < STEPS

    for victim in (1, 0):
        workers = processes.pair(tmp_path)
        advances(workers[victim])
        workers[victim].kill()
        (status,), (output,) = ended(workers[1 - victim], within=60)
        assert status == AGAIN, output
        assert 'Another worker has left the run' in output.splitlines()[-1]
        assert 'Traceback' not in output
        assert workers[victim].wait() == -signal.SIGKILL
        assert steps_saved(tmp_path)[-1] < STEPS

    statuses, outputs = ended(*processes.pair(tmp_path))
    assert statuses == [0, 0], outputs
    assert_same_end(tmp_path, undisturbed)


def test_workers_that_do_not_see_one_folder_are_refused(processes, undisturbed, tmp_path):
    workers = processes.pair(undisturbed, tmp_path, arguments=['--mode=eval'])
    statuses, outputs = ended(*workers, within=60)
    assert statuses == [2, 2], outputs
    for output in outputs:
        assert 'find the same checkpoint in' in output.splitlines()[-1]
        assert f'but that of step {STEPS}, none' in output.splitlines()[-1]
