"""Two worker processes on this machine against one process with two devices."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
QUICK = (
    '--experiment=regnety_mini',
    '--gin=train_steps = 6',
    '--gin=garden.phase.steps_per_loop = 3',
    '--gin=garden.phase.eval_interval = 6',
    '--gin=garden.phase.checkpoint_interval = 3',
)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for held in sockets:
        held.bind(('127.0.0.1', 0))
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports


def start(folder, data, *arguments, **variables):
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'launch.py'), *QUICK, f'--model_dir={folder}', *arguments],
        cwd=ROOT,
        env=os.environ | {'TFDS_DATA_DIR': str(data), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(process):
    output, _ = process.communicate(timeout=280)
    assert process.returncode == 0, output
    return output


@pytest.mark.slow
def test_two_workers_come_to_what_two_devices_of_one_come_to(tmp_path):
    data = tmp_path / 'data'
    addresses = [f'127.0.0.1:{port}' for port in free_ports(2)]
    workers = [
        start(
            tmp_path / 'workers',
            data,
            TF_CONFIG=json.dumps(
                {
                    'cluster': {'worker': addresses},
                    'task': {'type': 'worker', 'index': index},
                }
            ),
        )
        for index in range(2)
    ]
    for worker in workers:
        finished(worker)
    finished(start(tmp_path / 'devices', data, '--devices=2'))

    def metrics(name):
        summary = json.loads((tmp_path / name / 'summary.json').read_text())
        return summary['phases'][0]['metrics']

    assert metrics('workers') == pytest.approx(metrics('devices'), rel=1e-4)
    # Only the chief leaves anything in the run folder.
    assert len(json.loads((tmp_path / 'workers/run.json').read_text())['launches']) == 1
    assert len((tmp_path / 'workers/metrics.jsonl').read_text().splitlines()) == 3
    assert sorted(path.name for path in (tmp_path / 'workers').iterdir() if path.is_dir()) == [
        'main',
        'pictures',
    ]
