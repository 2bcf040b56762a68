"""`garden convert`, and what the launcher does with what it writes."""

import json
from pathlib import Path

import numpy as np
import pytest
import regnety_mini
import safetensors.numpy
import tensorflow as tf

from garden import registry
from garden.cli.launch import main
from garden.convert import layout

CODE = Path(__file__).parents[1] / 'convert' / 'data' / 'runs_code.pth'
_DESIGN = ', '.join(f'{name}={value}' for name, value in regnety_mini.DESIGN.items())
MINI = f'--model=regnety(None, {_DESIGN}, num_classes=10)'
QUICK = [*regnety_mini.flags('garden.phase.targets = ()'), '--strategy=one_device']


@pytest.fixture(autouse=True)
def folder(tmp_path, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path_factory.getbasetemp() / 'data'))
    monkeypatch.setenv('COLUMNS', '200')


def save_as_timm(model, path):
    """Writes the weights of a model under the names and axes of timm."""
    table = registry.get('converters', 'regnety')()['timm']
    tensors = {}
    for name, variable in layout.names(model).items():
        value = variable.numpy()
        if value.ndim > 1:
            value = value.transpose(-1, -2, *range(value.ndim - 2))
        tensors[table.tensor_name(name)] = np.ascontiguousarray(value)
    safetensors.numpy.save_file(tensors, path)


def refused(capsys, arguments, *parts):
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1, lines
    for part in parts:
        assert part in lines[0]


def evaluation(folder):
    return json.loads(Path(folder, 'evaluation.json').read_text())['phases'][0]['metrics']


@pytest.mark.slow
def test_a_weight_file_is_evaluated_as_the_model_it_came_from(tmp_path, capfd):
    assert main([*QUICK, '--model_dir=trained']) == 0
    model = regnety_mini.network()
    part = tf.train.Checkpoint(model=model)
    trained = tf.train.latest_checkpoint('trained/main/checkpoints')
    tf.train.Checkpoint(task=part).restore(trained).expect_partial()
    save_as_timm(model, 'mini.safetensors')
    capfd.readouterr()

    assert main(['convert', MINI, 'mini.safetensors', 'weights/mini']) == 0
    said = capfd.readouterr().out
    assert 'timm' in said and '--init_checkpoint=weights/mini' in said
    evaluate = [*QUICK, '--mode=eval', '--init_checkpoint=weights/mini']
    assert main([*evaluate, '--model_dir=evaluated']) == 0
    wanted = json.loads(Path('trained/summary.json').read_text())['phases'][0]['metrics']
    assert evaluation('evaluated') == pytest.approx(wanted, abs=1e-6)
    assert not Path('evaluated/main/checkpoints').exists()
    # The file itself will do where the task has one network.
    straight = [*QUICK, '--mode=eval', '--init_checkpoint=mini.safetensors']
    assert main([*straight, '--model_dir=straight']) == 0
    assert evaluation('straight') == evaluation('evaluated')

    # The folder of another run is not mixed up with these weights.
    capfd.readouterr()
    assert main([*evaluate, '--model_dir=trained']) == 2
    assert 'init_checkpoint' in capfd.readouterr().err


def test_a_new_head_starts_from_the_models_own_values(capsys):
    save_as_timm(regnety_mini.network(num_classes=7), 'seven.safetensors')
    convert = ['convert', MINI, 'seven.safetensors', 'weights']
    refused(capsys, convert, 'seven.safetensors: head.fc.weight is', '--leave_out=head.fc')
    assert main([*convert, '--leave_out=head.fc']) == 0
    assert 'but head.fc.bias, head.fc.kernel' in capsys.readouterr().out
    found = dict(tf.train.list_variables('weights'))
    assert found['task/model/head/fc/kernel/.ATTRIBUTES/VARIABLE_VALUE'] == [96, 10]


def test_mistakes_are_told_in_one_line(capsys):
    save_as_timm(regnety_mini.network(), 'mini.safetensors')

    def convert(model, *arguments, weights='mini.safetensors'):
        return ['convert', f'--model={model}', weights, 'weights', *arguments]

    refused(capsys, convert('regnety'), 'mini.safetensors: These weights are of another model')
    refused(capsys, convert('regnetty'), 'no models.regnetty', 'Did you mean regnety')
    refused(capsys, convert('regnety(varant="400mf")'), 'no varant', 'Did you mean variant')
    refused(capsys, convert('regnety("401mf")'), '401mf', 'Did you mean 400mf')
    refused(capsys, convert('regnety('), '--model=regnety( is no model', "regnety('800mf'")
    refused(capsys, convert('regnety(open("x"))'), 'is no model')
    refused(capsys, convert('regnety', weights='none.pth'), 'none.pth cannot be read')
    refused(capsys, convert('regnety', '--layuot=timm'), 'no flag --layuot', '--layout')
    refused(capsys, convert('regnety', weights=str(CODE)), 'nothing of it was run')
    refused(capsys, ['convert', 'mini.safetensors', 'weights'], '--model')
    assert not list(Path().glob('weights*'))
    init = ['--experiment=regnety_mini', '--strategy=one_device', '--mode=eval']
    refused(
        capsys, [*init, '--init_checkpoint=weights/none'], 'no checkpoint', 'no file of weights'
    )
    # The network of regnety_mini has other widths.
    save_as_timm(regnety_mini.network(depth=3), 'other.safetensors')
    refused(
        capsys,
        [*init, '--init_checkpoint=other.safetensors'],
        '--init_checkpoint=other.safetensors: These',
    )
    refused(
        capsys, [*init, f'--init_checkpoint={CODE}'], 'nothing of it was run', 'the command convert'
    )


def test_one_of_several_networks_of_a_task_is_started_from(tmp_path, capsys):
    model = regnety_mini.network()
    save_as_timm(model, 'mini.safetensors')
    assert main(['convert', MINI, '--attribute=teacher', 'mini.safetensors', 'weights/mini']) == 0
    said = capsys.readouterr().out
    assert "garden.phase.warm_start = [('teacher', 'weights/mini')]" in said
    other = regnety_mini.network()
    part = tf.train.Checkpoint(teacher=other)
    status = tf.train.Checkpoint(task=part).read('weights/mini')
    status.assert_consumed()
    for ours, theirs in zip(other.variables, model.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs)
