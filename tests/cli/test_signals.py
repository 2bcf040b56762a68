"""Signals and kills, on real processes."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SUMMARY = r'(\d+) of (\d+) finished runs identical, after (\d+) kills'
LONG = (
    '--experiment=regnety_mini',
    '--model_dir=run',
    '--gin=train_steps = 1000000',
    '--gin=garden.phase.steps_per_loop = 1000000',
    '--gin=garden.phase.eval_interval = 1000000',
    '--gin=garden.phase.checkpoint_interval = 1000000',
)


def wait_until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def steps(folder):
    return sorted(int(p.stem.split('-')[1]) for p in folder.glob('main/checkpoints/*.index'))


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_loop_after_the_present_step(launcher, tmp_path, number):
    process = launcher.start(*LONG)
    folder = tmp_path / 'run'
    wait_until(lambda: steps(folder) == [0])
    time.sleep(5)  # Into the one loop of a million steps.
    process.send_signal(number)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 42, errors
    assert 'Run the same command to go on' in output
    assert 'Traceback' not in errors
    assert 0 <= steps(folder)[-1] < 1000000


def test_a_second_interrupt_leaves_at_once(launcher, tmp_path):
    process = launcher.start(*LONG)
    wait_until(lambda: steps(tmp_path / 'run') == [0])
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=30)
    assert process.returncode in (130, 42)


@pytest.mark.slow
@pytest.mark.exhaustive  # tests/conformance/test_resuming.py kills one experiment of each task.
def test_a_killed_run_comes_to_the_same_files(data):
    done = subprocess.run(
        [
            sys.executable,
            str(ROOT / 'benchmarks/kill_loop.py'),
            '--kills=3',
            '--kills_per_run=3',
            '--',
            '--gin=train_steps=60',
            '--gin=garden.phase.steps_per_loop=5',
            '--gin=garden.phase.eval_interval=20',
            '--gin=garden.phase.checkpoint_interval=10',
        ],
        env=os.environ | {'TFDS_DATA_DIR': str(data)},
        capture_output=True,
        text=True,
        timeout=800,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # A run may end before its third kill comes; the loop then goes on with another one.
    same, runs, kills = map(int, re.search(SUMMARY, done.stdout).groups())
    assert same == runs >= 1
    assert kills == 3


@pytest.mark.slow
@pytest.mark.skipif(not Path('/dev/full').exists(), reason='needs a device that is always full')
def test_a_folder_that_cannot_be_written_is_one_line_with_status_74(launcher, tmp_path):
    folder = tmp_path / 'run'
    quick = (
        '--experiment=regnety_mini',
        '--model_dir=run',
        '--gin=train_steps = 40',
        '--gin=garden.phase.steps_per_loop = 2',
        '--gin=garden.phase.checkpoint_interval = 20',
    )
    process = launcher.start(*quick)
    wait_until(lambda: 0 in steps(folder))
    (folder / 'metrics.jsonl').unlink(missing_ok=True)
    (folder / 'metrics.jsonl').symlink_to('/dev/full')
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 74, errors
    lines = [line for line in errors.splitlines() if line.strip()]
    assert len(lines) == 1, errors
    assert 'metrics.jsonl' in lines[0]
    assert 'No space left' in lines[0]
    assert 0 in steps(folder)
