"""Mistakes in the file of a sweep are told before the first trial, with their place."""

from pathlib import Path

import pytest

from garden.cli.launch import main

SWEEP = """\
sweep.engine = @engines.optuna()
sweep.experiment = 'regnety_mini'
sweep.metric = 'top1'
sweep.trials = 1
sweep.space = {KEY: VALUES}
engines.optuna.sampler = @samplers.tpe()
"""


@pytest.mark.parametrize(
    ('key', 'values', 'message'),
    [
        ('optimizers.sgd.learning_rat', '[0.1]', "no parameter 'learning_rat'. Did you mean"),
        ('optimizers.sgdd.momentum', '[0.1]', 'Did you mean optimizers.sgd'),
        ('evl/dataloaders.image_classification.flip', "['no']", "takes bool, not 'no'"),
        ('tran_steps', '[10]', 'reads a macro tran_steps. Did you mean train_steps?'),
        ('models.regnety.depth', "[4, 'deep']", "takes int | None, not 'deep'"),
        ('tasks.image_classification.optimizer', "['@optimizers.sgdd()']", 'optimizers.sgdd'),
        ('tasks.image_classification.optimizer', '[@optimizers.sgd()]', "'@optimizers.sgd()'"),
        ('schedules.cosine.base', '(0.1, 1.0)', 'says no values'),
    ],
)
def test_a_mistake_in_the_space_has_its_line(tmp_path, monkeypatch, capfd, key, values, message):
    monkeypatch.chdir(tmp_path)
    text = SWEEP.replace('KEY', repr(key)).replace('VALUES', values)
    (tmp_path / 'a.gin').write_text(text)
    assert main(['sweep', 'a.gin']) == 2
    told = capfd.readouterr().err
    assert told.startswith('error: a.gin:5') and told.count('\n') == 1
    assert message in told
    assert not (tmp_path / 'runs').exists()


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('regnety_mini', 'regnety_min', "a.gin:2: There is no experiment 'regnety_min'"),
        ('sweep.metric', 'sweep.metrc', "a.gin:3: garden.sweep has no parameter 'metrc'"),
        ("sweep.metric = 'top1'", '', 'garden.sweep.metric'),
        ('sweep.engine = @engines.optuna()', '', 'garden.sweep.engine'),
        ('trials = 1', 'trials = 0', 'sweep.trials is at least 1; 0 is not.'),
        ('trials = 1', 'settings = {KEY: 1}', 'is in sweep.space and in sweep.settings'),
    ],
)
def test_a_mistake_in_the_rest_is_told(tmp_path, monkeypatch, capfd, old, new, message):
    monkeypatch.chdir(tmp_path)
    text = SWEEP.replace(old, new).replace('VALUES', '[4, 8]')
    (tmp_path / 'a.gin').write_text(text.replace('KEY', "'models.regnety.depth'"))
    assert main(['sweep', 'a.gin']) == 2
    told = capfd.readouterr().err
    assert told.startswith('error: ') and told.count('\n') == 1
    assert message in told


def test_references_macros_and_scopes_are_settings_like_others(tmp_path, monkeypatch):
    from garden.sweep import check, plan

    monkeypatch.chdir(tmp_path)
    space = (
        "{'tasks.image_classification.optimizer': ['@optimizers.sgd()', '@optimizers.adam()'],"
        " 'train_steps': ('int', 10, 50, 10), 'optimizers.adam.learning_rate': ('log', 1e-4, 0.1),"
        " 'train/dataloaders.image_classification.crop': ['random', 'center']}"
    )
    text = SWEEP.replace('{KEY: VALUES}', space)
    (tmp_path / 'a.gin').write_text(text)
    check.check(plan.read('a.gin'))


def test_the_example_is_right():
    from garden.sweep import check, plan

    example = plan.read(str(Path(__file__).parents[2] / 'examples' / 'regnety_sweep.gin'))
    check.check(example)
    assert not example.unused
