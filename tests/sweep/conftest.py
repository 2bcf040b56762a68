"""A sweep whose trials train nothing, in this process or in processes of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from garden.cli.launch import main
from garden.sweep.folder import SweepFolder

STAND_IN = Path(__file__).with_name('stand_in.py')
SWEEP = """\
sweep.engine = @engines.optuna()
sweep.experiment = 'regnety_mini'
sweep.metric = 'top1'
sweep.trials = 4
sweep.space = {'optimizers.sgd.learning_rate': ('log', 1e-3, 1.0)}
engines.optuna.sampler = @samplers.random()
"""


class Sweeps:
    """Runs sweeps in one folder.

    Attributes:
      folder: the folder of the sweep.
    """

    def __init__(self, path, capfd):
        self.folder = SweepFolder(path / 'runs' / 'search')
        self._file = path / 'search.gin'
        self._file.write_text(SWEEP)
        self._capfd = capfd

    def add(self, *lines):
        """Adds lines to the file of the sweep."""
        self._file.write_text('\n'.join([self._file.read_text(), *lines, '']))

    def run(self, *arguments):
        """Runs the command in this process; returns it as finished."""
        status = main(['sweep', 'search.gin', *arguments])
        captured = self._capfd.readouterr()
        return subprocess.CompletedProcess(arguments, status, captured.out, captured.err)

    def prepare(self):
        """Makes the folder, with the first trial done: a process need not check the experiment."""
        done = self.run('--gin=sweep.trials = 1')
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self, *arguments, **variables):
        """Starts the command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, str(STAND_IN), 'sweep', 'search.gin', *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | variables,
        )

    def launches(self, number):
        """Returns what the processes of a trial were started with."""
        lines = (self.folder.run_folder(number) / 'launches.jsonl').read_text().splitlines()
        return [json.loads(line) for line in lines]

    def evaluated(self, number):
        """Returns the steps that a trial has evaluated, in the order of its metrics."""
        lines = (self.folder.run_folder(number) / 'metrics.jsonl').read_text().splitlines()
        return [json.loads(line)['step'] for line in lines]


@pytest.fixture
def sweeps(tmp_path, monkeypatch, capfd):
    """Sweeps in an empty folder, whose trials are the stand-in's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'argv', [str(STAND_IN)])
    monkeypatch.setenv('COLUMNS', '200')
    return Sweeps(tmp_path, capfd)
