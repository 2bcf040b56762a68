"""A sweep over real runs."""

import json
import sys
from pathlib import Path

import pytest

from garden.cli.launch import main
from garden.engine.run_folder import RunFolder
from garden.sweep.folder import SweepFolder

ROOT = Path(__file__).resolve().parents[2]
SWEEP = """\
sweep.engine = @engines.optuna()
sweep.experiment = 'regnety_mini'
sweep.metric = 'top1'
sweep.settings = {
    'train_steps': 4,
    'phase.steps_per_loop': 2,
    'phase.eval_interval': 4,
    'phase.max_recoveries': 0,
    'schedules.cosine.warmup_steps': 1,
}
sweep.space = {'schedules.cosine.base': [0.05, 1e30]}
engines.optuna.sampler = @samplers.grid()
"""


@pytest.mark.slow
def test_trials_are_runs_and_one_that_diverges_is_told_as_such(tmp_path, data, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TFDS_DATA_DIR', str(data))
    monkeypatch.setattr(sys, 'argv', [str(ROOT / 'launch.py')])
    (tmp_path / 'rates.gin').write_text(SWEEP)
    status = main(['sweep', 'rates.gin', '--jobs=2'])
    told = capfd.readouterr()
    assert status == 0, told.out + told.err
    folder = SweepFolder(tmp_path / 'runs' / 'rates')
    found = {trial.point['schedules.cosine.base']: trial for trial in folder.trials()}
    good, bad = found['0.05'], found['1e+30']
    assert (good.state, bad.state) == ('complete', 'diverged')
    run = RunFolder(folder.run_folder(good.number))
    (phase,) = run.read_summary()
    assert good.value == phase['metrics']['top1'] and good.step == 4
    (launch,) = json.loads((run.path / 'run.json').read_text())['launches']
    assert '--gin=schedules.cosine.base = 0.05' in launch['command']
    assert main(['report', str(folder.path)]) == 0
