"""`garden report` as a user meets it: what a page says of runs of all kinds, what is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import regnety_mini
from pages import Reader
from run_folders import CONFIG, eval_row, train_row, write_pictures, write_rows, write_run

from garden.cli.launch import main
from garden.engine import config

ROOT = Path(__file__).resolve().parents[2]
ROWS = [train_row(50), eval_row(50, loss=0.5), train_row(100), eval_row(100, top1=0.95, loss=0.4)]


@pytest.fixture
def report(tmp_path, monkeypatch, capsys):
    """Returns a function that reports runs of the present folder and reads the page."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        assert main(['report', *map(str, arguments)]) == 0
        index = Path(capsys.readouterr().out.strip().removeprefix('The report lies in '))
        return Reader(index.read_text())

    return run


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Returns a function that asserts that a mistake is told in one line, and returns the line."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        assert main(['report', *map(str, arguments)]) == 2
        said = capsys.readouterr()
        assert said.out == '' and said.err.startswith('error: ') and said.err.count('\n') == 1
        return said.err.removeprefix('error: ').strip()

    return run


def test_a_finished_run(report, tmp_path):
    folder = write_run(tmp_path / 'run', ROWS)
    write_pictures(folder, [50, 100])
    page = report('run')
    assert page.headings[0] == [1, 'toy']
    assert 'A toy that runs.' in page.text
    assert 'State finished Step 100 of 100 top1 >= 0.9 0.95 Training time 0:05' in page.text
    caption = 'Metrics at step 100'
    assert page.tables[caption][:3] == [
        ['metric', 'evaluation', 'training', 'target'],
        ['top1', '[good]0.95', '', 'top1 >= 0.9'],
        ['loss', '0.4', '0.01', ''],
    ]
    assert page.tables['model, for an input of 1x8x8x3'][-1][2:] == ['1,234', '10', '140', '18']
    assert page.tables['Versions of the last launch'] == [
        ['python', '3.11.7'],
        ['tensorflow', '2.20.0'],
        ['numpy', '2.0.0'],
    ]
    (launch,) = page.tables['Launches'][1:]
    told = ['2026-01-02 03:04:05 UTC', 'launch.py --experiment=toy', '7', '1 x CPU']
    assert launch == [*told, '0123456789 and changes']
    assert 'garden.phase.train_steps = %train_steps' in page.text
    for alt in (
        'loss over the steps: training from 0.02 to 0.01; evaluation from 0.5 to 0.4.',
        'Samples',
        'Samples at step 50',
        'Samples at step 100',
    ):
        assert alt in page.alts


def test_the_report_lies_in_the_run_or_where_it_is_asked_for(report, tmp_path):
    write_run(tmp_path / 'run', ROWS)
    report('run')
    assert (tmp_path / 'run' / 'report' / 'index.html').is_file()
    report('run', '--output=page')
    assert (tmp_path / 'page' / 'pictures' / 'plot_main_loss.png').is_file()


def test_a_missed_target(report, tmp_path):
    write_run(tmp_path / 'run', ROWS[:2])
    page = report('run')
    (table,) = (rows for caption, rows in page.tables.items() if caption.startswith('Metrics'))
    assert table[1] == ['top1', '[bad]0.8', '', 'top1 >= 0.9']


@pytest.mark.parametrize(
    ('rows', 'told'),
    [
        (ROWS[:3], 'is unfinished: step 100 of 300. The same command goes on with it.'),
        ([], 'The run has not begun yet. There are no metrics to draw yet.'),
        ([train_row(50)], 'The run was not evaluated yet.'),
        (
            [train_row(50), {**train_row(100), 'loss': None}],
            'The run has diverged: at step 100, a number was not finite any more.',
        ),
    ],
)
def test_a_run_that_is_not_finished_says_so(report, tmp_path, rows, told):
    write_run(tmp_path / 'run', rows, steps=300, ended=False)
    page = report('run')
    without_headings = page.text.replace('Learning curves ', '')
    assert told in without_headings


def test_what_is_not_finite_is_shown_as_such(report, tmp_path):
    rows = [
        train_row(50),
        {**train_row(75), 'loss': None},
        train_row(100),
        eval_row(100, top1=None),
    ]
    write_run(tmp_path / 'run', rows)
    page = report('run')
    assert 'loss (not finite and left out: 1)' in page.text
    assert 'State finished Step 100 of 100 top1 >= 0.9 not finite' in page.text


def test_what_is_missing_is_said(report, tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    write_rows(folder / 'evaluations.jsonl', [eval_row(0, top1=0.7)])
    told = {'phase': 'main', 'step': 0, 'best': None, 'targets': {'top1 >= 0.9': False}}
    (folder / 'evaluation.json').write_text(json.dumps({'phases': [told]}))
    page = report('run')
    assert 'State evaluated Step 0 top1 >= 0.9 0.7' in page.text
    for said in (
        'The run has drawn no pictures.',
        'The run has not written down what its networks cost.',
        'There is no config.gin: the run was evaluated only.',
        'There is no run.json: nothing is known of launches and versions.',
    ):
        assert said in page.text


def test_what_went_wrong_on_the_way(report, tmp_path):
    recovery = {'phase': 'main', 'kind': 'recovery', 'step': 60, 'restored': 50, 'what': ['loss']}
    bad = {'phase': 'main', 'kind': 'bad_example', 'step': 70, 'place': 'a:3', 'problem': 'no JPEG'}
    folder = write_run(tmp_path / 'run', [*ROWS, recovery, bad])
    write_pictures(folder, [50])
    picture = folder / 'pictures' / 'main_samples.png'
    picture.write_bytes(picture.read_bytes()[:200])
    page = report('run')
    assert 'At step 60, loss was not finite: the run went back to step 50' in page.text
    left_out = 'Examples that could not be read and were left out: 1'
    assert page.tables[left_out][1] == ['a:3', 'no JPEG', '70']
    assert 'main_samples.png cannot be read: cut short by a kill.' in page.text


def test_each_phase_has_its_own_part(report, tmp_path):
    config = (
        'garden.experiment.phases = [@a/garden.phase(), @b/garden.phase()]\n'
        "b/garden.phase.name = 'second'\ngarden.phase.train_steps = {steps}\n"
    )
    rows = [*ROWS, train_row(50, 'second', other=3.0)]
    write_run(tmp_path / 'run', rows, config=config)
    page = report('run')
    assert [3, 'Phase main'] in page.headings and [3, 'Phase second'] in page.headings
    assert 'Phase second is unfinished: step 50 of 100.' in page.text
    assert 'other over the steps: training from 3 to 3.' in page.alts


def test_two_runs_side_by_side(report, tmp_path):
    write_pictures(write_run(tmp_path / 'slow', ROWS, rate=0.1), [50, 100])
    rows = [train_row(100), eval_row(100, top1=0.85, loss=0.3)]
    write_pictures(write_run(tmp_path / 'fast', rows, rate=0.3, numpy='2.1.0'), [50, 100])
    page = report('slow', 'fast', '--output=both')
    assert page.headings[0] == [1, '2 runs of toy']
    assert page.tables['The last evaluation'] == [
        ['metric', 'slow', 'fast', 'target'],
        ['top1', '[good][best]0.95', '[bad]0.85', 'top1 >= 0.9'],
        ['loss', '0.4', '[best]0.3', ''],
    ]
    assert page.tables['Settings in which the runs differ: 1 of 6'][1:] == [
        ['optimizers.sgd.learning_rate', '0.1', '0.3']
    ]
    assert page.tables['Versions in which the runs differ: 1 of 3'][1:] == [
        ['numpy', '2.0.0', '2.1.0']
    ]
    assert {'Samples of slow', 'Samples of fast'} <= set(page.alts)
    loss = next(alt for alt in page.alts if alt.startswith('loss'))
    assert 'evaluation of slow from 0.5 to 0.4' in loss and 'evaluation of fast' in loss


def test_runs_of_different_experiments(report, tmp_path):
    write_run(tmp_path / 'a' / 'run', ROWS)
    config = (
        "# Name: other\ngarden.experiment.phases = [@garden.phase()]\ngarden.phase.name = 'x'\n"
    )
    rows = [train_row(10, 'x', psnr=4.0), eval_row(10, 'x', psnr=30.0)]
    write_run(tmp_path / 'b' / 'run', rows, config=config)
    page = report('a/run', 'b/run', '--output=both')
    assert page.headings[0] == [1, '2 runs of 2 experiments']
    assert page.tables['The runs'][1] == ['experiment', 'toy', 'other']
    assert page.tables['The last evaluation of phase x'] == [
        ['metric', 'a/run', 'b/run', 'target'],
        ['top1', '[faint]none', '0.8', ''],
        ['psnr', '[faint]none', '30', ''],
    ]


@pytest.mark.parametrize(('count', 'folds'), [(29, 2), (31, 3)])
def test_many_differences_are_folded_away(report, tmp_path, count, folds):
    for name in ('a', 'b'):
        other = ''.join(f'x.setting_{i} = {name!r}\n' for i in range(count))
        write_run(tmp_path / name, ROWS, config=CONFIG + other)
    page = report('a', 'b', '--output=both')
    assert (
        len(page.tables[f'Settings in which the runs differ: {count} of {count + 6}']) == count + 1
    )
    assert (tmp_path / 'both' / 'index.html').read_text().count('<details>') == folds


KINDS = 'a run (run.json or evaluation.json) or a sweep (sweep.gin)'


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        ([], 'What is to be reported? Name the folder of a run, e.g. runs/NAME.'),
        (['rum'], 'rum: there is no such folder. Did you mean run? Name the folder of a run.'),
        (['.'], f'. is not the folder of {KINDS}. Did you mean run?'),
        (['empty'], f'empty is not the folder of {KINDS}.'),
        (['run', 'empty', '--output=x'], 'empty is not the folder of a run'),
        (['run', 'other'], 'Where? Of several runs one page is made: give --output=FOLDER.'),
        (['run', '--outptu=x'], 'There is no flag --outptu. Did you mean --output?'),
        (['run', '--output=empty/..'], 'something else than a report: give another --output.'),
        (['gs://bucket/run'], 'a report is made of local folders. Copy the run first.'),
    ],
)
def test_a_mistake_is_told_in_one_line(refused, tmp_path, arguments, said):
    write_run(tmp_path / 'run', ROWS)
    (tmp_path / 'empty').mkdir()
    assert said in refused(*arguments)


def test_it_imports_no_tensorflow(tmp_path):
    write_pictures(write_run(tmp_path / 'run', ROWS, config=CONFIG), [50, 100])
    code = (
        'import sys\n'
        'from garden.cli.launch import main\n'
        f'status = main(["report", {str(tmp_path / "run")!r}])\n'
        'assert "tensorflow" not in sys.modules\n'
        'sys.exit(status)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 'Samples at step 50' in (tmp_path / 'run' / 'report' / 'index.html').read_text()


@pytest.mark.slow
def test_a_run_of_a_classifier(report, tmp_path, data, monkeypatch, capsys):
    monkeypatch.setenv('TFDS_DATA_DIR', str(data))
    # This process has two devices, and a strategy over both already.
    launch = [*regnety_mini.flags(), '--model_dir=run', '--strategy=one_device']
    with config.set_aside():  # Each command is a process of its own; here both are in one.
        assert main(launch) == 0
    capsys.readouterr()
    page = report('run')
    assert 'State finished Step 4 of 4' in page.text
    shown = {'Confusion', 'Mistakes', 'Confusion at step 2', 'Mistakes at step 4'}
    assert shown <= set(page.alts)
    parts = page.tables['model, for an input of 1x32x32x3']
    assert [row[0] for row in parts[1:]] == ['stem', 's1', 's2', 's3', 'head', 'total']
    model = regnety_mini.network()
    model.build([1, 32, 32, 3])
    assert parts[-1][2] == f'{sum(np.prod(v.shape) for v in model.trainable_variables):,}'
