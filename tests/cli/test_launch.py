"""The launcher as a user meets it: in processes of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import regnety_mini

from garden.cli.launch import main
from garden.engine import config

ROOT = Path(__file__).resolve().parents[2]
QUICK = regnety_mini.flags('garden.phase.eval_interval = 4', 'garden.phase.checkpoint_interval = 2')


@pytest.fixture
def launch(launcher, monkeypatch):
    """Returns a function that runs the launcher in an empty folder."""
    for name in os.environ:
        if name.startswith('TF_'):
            monkeypatch.delenv(name)
    monkeypatch.setenv('COLUMNS', '200')
    return launcher.run


@pytest.fixture
def within(tmp_path, data, monkeypatch, capfd):
    """As `launch`, but in this process: TensorFlow is there already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TFDS_DATA_DIR', str(data))
    monkeypatch.setenv('COLUMNS', '200')

    def run(*arguments):
        if not any(a.startswith(('--strategy', '--devices', '--tpu')) for a in arguments):
            # This process has two devices, and a strategy over both already.
            arguments = (*arguments, '--strategy=one_device')
        status = main(arguments)
        captured = capfd.readouterr()
        return subprocess.CompletedProcess(arguments, status, captured.out, captured.err)

    return run


def refused(done, *parts):
    """Asserts that a user's mistake was told in one line with status 2."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert 'Traceback' not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith('error: ')
    for part in parts:
        assert part in lines[0]


def test_a_run_leaves_everything_in_its_folder(launch, tmp_path):
    done = launch(*QUICK)
    assert done.returncode == 0, done.stderr
    assert 'top1' in done.stdout
    assert done.stderr == ''
    folder = tmp_path / 'runs/regnety_mini'
    for name in ('config.gin', 'operative_config.gin', 'run.json', 'metrics.jsonl'):
        assert (folder / name).stat().st_size, name
    summary = json.loads((folder / 'summary.json').read_text())
    assert summary['phases'][0]['step'] == 4
    assert 0 <= summary['phases'][0]['metrics']['top1'] <= 1
    pictures = {path.name for path in (folder / 'pictures').glob('*.png')}
    assert pictures >= {'main_confusion.png', 'main_learning_curves.png'}
    assert list((folder / 'main/checkpoints').glob('ckpt-4.index'))
    assert list((folder / 'main/best').glob('*.index'))
    for kind in ('train', 'eval'):
        assert list((folder / 'main/events' / kind).glob('events*'))
    launches = json.loads((folder / 'run.json').read_text())['launches']
    assert launches[0]['versions']['tensorflow']
    assert launches[0]['seed'] == 0

    copied = launch(f'--experiment={folder}/config.gin', '--model_dir=copy')
    assert copied.returncode == 0, copied.stderr
    ours = json.loads((tmp_path / 'copy/summary.json').read_text())['phases'][0]['metrics']
    assert ours == summary['phases'][0]['metrics']


def test_a_folder_continues_its_run_and_refuses_another(within, tmp_path):
    assert within(*QUICK).returncode == 0
    assert within(*QUICK).returncode == 0
    folder = tmp_path / 'runs/regnety_mini'
    assert len(json.loads((folder / 'run.json').read_text())['launches']) == 2
    other = within(*QUICK, '--gin=optimizers.sgd.momentum = 0.5')
    refused(other, 'holds a run of another configuration', 'momentum', '--allow_config_change')
    allowed = within(
        *QUICK, '--gin=optimizers.sgd.momentum = 0.5', '--allow_config_change', '--mode=eval'
    )
    assert allowed.returncode == 0, allowed.stderr


def test_a_binding_that_nothing_reads_is_reported(within):
    done = within(*QUICK, '--gin=trian/dataloaders.image_classification.flip = True')
    assert done.returncode == 0, done.stderr
    assert 'unused' in done.stdout
    assert 'trian/dataloaders.image_classification.flip' in done.stdout


def test_an_interrupted_run_leaves_with_status_42_and_goes_on(launcher, tmp_path):
    process = launcher.start(*QUICK, '--gin=train_steps = 100000')
    for line in process.stdout:
        if line.startswith('main 2/'):
            process.terminate()
            break
    rest = process.communicate(timeout=120)
    assert process.returncode == 42, rest
    assert 'Run the same command to go on' in rest[0]
    assert list((tmp_path / 'runs/regnety_mini/main/checkpoints').glob('*.index'))


@pytest.mark.parametrize(
    'arguments, parts',
    [
        ((), ['Which experiment?', '--list']),
        (('regnety_mini',), ['no command regnety_mini', '--experiment=regnety_mini']),
        (('--list', 'a', 'b'), ["'b' is no flag"]),
        (('--experiment=regnety_min',), ["no experiment 'regnety_min'", 'regnety_mini']),
        (('--experimnet=regnety_mini',), ['There is no flag --experimnet', '--experiment']),
        (('--experiment=regnety_mini', '--mode=trian'), ['--mode=trian', 'Did you mean', 'train']),
        (
            ('--experiment=regnety_mini', '--strategy=mirored'),
            ['--strategy=mirored', 'Did you mean mirrored'],
        ),
        (('--experiment=regnety_mini', '--devices=two'), ['invalid int value']),
    ],
)
def test_mistakes_on_the_command_line(within, arguments, parts):
    refused(within(*arguments), *parts)


@pytest.mark.parametrize(
    'arguments, parts',
    [
        (
            ('--gin=phase.trian_steps = 5',),
            ["--gin 'phase.trian_steps = 5'", 'trian_steps', 'train_steps'],
        ),
        (('--gin=phase.train_steps = "five"',), ['train_steps', 'int']),
        (('--strategy=tpu',), ['TPU']),
        (('--tpu=local',), ['--tpu=local', 'no TPU support']),
        (('--tpu=local', '--strategy=mirrored'), ['contradict']),
        (('--mode=eval',), ['nothing to evaluate']),
        (
            ('--devices=2', '--gin=batch_size = 7'),
            ['batch of 7 cannot be shared by 2 replicas', "comes from --gin 'batch_size = 7'"],
        ),
        (('--gin=models.regnety.variant = "400MF"',), ['400MF', '400mf']),
        (('--gin=batch_size = 0',), ['needs a batch_size', "comes from --gin 'batch_size = 0'"]),
        (
            ('--gin=models.regnety.num_classes = 7',),
            ['7 classes', 'data has 10', "num_classes comes from --gin 'models.regnety"],
        ),
        (('--gin=sources.tfds.name = "digist"',), ['digist', 'digits']),
    ],
)
def test_mistakes_that_show_later(within, arguments, parts):
    refused(within('--experiment=regnety_mini', *arguments), *parts)


def test_a_missing_data_set_names_command_and_sibling(within):
    done = within('--experiment=regnety_200mf', '--gin=batch_size = 8')
    refused(done, 'imagenet2012', 'is not prepared', 'prepare imagenet2012', 'regnety_mini')


def test_debug_shows_the_traceback(launch):
    done = launch('--experiment=regnety_min', '--debug')
    assert done.returncode != 0
    assert 'Traceback' in done.stderr


@pytest.mark.parametrize('arguments', [('--help',), ('--list',), ('--list', '--json')])
def test_help_and_list_answer_without_tensorflow(arguments):
    code = (
        'import sys\n'
        'from garden.cli.launch import main\n'
        'try:\n'
        f'    main({list(arguments)!r})\n'
        'except SystemExit:\n'
        '    pass\n'
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.exhaustive  # tests/conformance/test_resuming.py runs on two, too.
def test_two_devices_are_made_of_a_cpu(launch):
    done = launch(*QUICK, '--devices=2')
    assert done.returncode == 0, done.stderr
    assert '2 x CPU' in done.stdout


def test_the_resolved_configuration_is_printed(within):
    done = within('--experiment=regnety_mini', '--print_config')
    assert done.returncode == 0
    assert "sources.tfds.name = 'digits'" in done.stdout


def test_an_experiment_is_described(within, tmp_path):
    done = within('--experiment=regnety_mini', '--describe')
    assert done.returncode == 0, done.stderr
    assert 'multiply-adds' in done.stdout
    drawn = {path.name for path in (tmp_path / 'runs/regnety_mini/pictures').glob('*.png')}
    assert drawn == {'main_batch.png', 'main_schedule_optimizer.png'}


def test_a_description_refuses_what_nothing_reads_but_not_what_a_flag_has_replaced(
    tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    synthetic = '--gin=dataloaders.image_classification.source = @sources.synthetic()'
    describe = ['--experiment=regnety_mini', '--describe', '--strategy=one_device', synthetic]
    with config.set_aside():
        assert main(describe) == 0
    assert 'sources.tfds.name: nothing reads this setting.' in capfd.readouterr().out
    with config.set_aside():
        assert main([*describe, '--gin=seed = 2']) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert 'seed: nothing reads this setting. Did you mean' in line
    assert 'garden.experiment.seed' in line


def test_a_tpu_is_asked_for_nothing_when_an_experiment_is_described(within):
    done = within('--experiment=regnety_mini', '--describe', '--tpu=my-tpu')
    assert done.returncode == 0, done.stderr
    assert 'XLA can compile the steps' in done.stdout
    refused = within('--experiment=regnety_mini', '--describe', '--tpu=my-tpu', '--devices=2')
    assert refused.returncode == 2
    assert '--devices=2' in refused.stderr


@pytest.mark.parametrize('words', [['--mode=eval'], ['--describe']])
def test_a_data_service_is_refused_where_nothing_is_trained(capsys, words):
    assert main(['--experiment=regnety_mini', '--data_service=grpc://h:1', *words]) == 2
    assert 'nothing is trained here' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('words', 'missing'),
    [
        (['--role=dispatcher', '--port=1'], '--workers'),
        (['--role=worker', '--port=1', '--dispatcher=h:1'], '--address'),
        (['--port=1'], '--role'),
    ],
)
def test_a_part_of_a_data_service_says_which_flag_it_lacks(capsys, words, missing):
    assert main(['data_service', *words]) == 2
    assert missing in capsys.readouterr().err
