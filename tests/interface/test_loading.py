"""From Python, an experiment is loaded and launched and its run loaded; gin is left as it was."""

import json
import subprocess
import sys
from pathlib import Path

import gin
import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from small_run import SMALL

import garden
from garden.engine.controller import Controller
from garden.losses.classification import cross_entropy

ROOT = Path(__file__).parents[2]


def rows(launched, kind):
    lines = map(json.loads, (launched.path / 'metrics.jsonl').read_text().splitlines())
    return {line['step']: line for line in lines if line['kind'] == kind}


def judged(run):
    """Accuracy and loss of a loaded run, by a loop of one's own over its evaluation data."""
    right, losses = [], []
    for batch in run.eval_data():
        logits = run.model(batch['image'], training=False)
        label, mask = batch['label'], batch['mask']
        right.append((tf.argmax(logits, -1, tf.int32) == label)[mask])
        losses.append(cross_entropy(label, logits)[mask])
    return [float(np.mean(np.concatenate(values))) for values in (right, losses)]


def test_a_launch_returns_what_the_run_folder_holds(launched):
    (phase,) = json.loads((launched.path / 'summary.json').read_text())['phases']
    assert launched.phases[0].step == phase['step'] == 4
    assert launched.metrics == phase['metrics']
    assert set(rows(launched, 'train')) == set(rows(launched, 'eval')) == {2, 4}


@pytest.mark.slow
def test_a_run_is_evaluated_again_from_python(launched):
    again = garden.launch('regnety_mini', SMALL, launched.path, 'eval', strategy='one_device')
    assert again.metrics == launched.metrics
    assert set(rows(launched, 'eval')) == {2, 4}


def test_a_launch_that_was_asked_to_stop_says_so_as_python_does(monkeypatch, tmp_path):
    def train_n_steps(controller, steps):
        controller._interruption.request()
        return []

    monkeypatch.setattr(Controller, '_train_n_steps', train_n_steps)
    with pytest.raises(KeyboardInterrupt, match='everything is saved'):
        garden.launch('gan_mini', ['train_steps = 2'], tmp_path, strategy='one_device')
    assert list((tmp_path / 'main' / 'checkpoints').glob('*.index'))


@pytest.mark.parametrize(('checkpoint', 'step'), [('best', 2), ('last', 4)])
def test_a_loaded_run_is_as_good_as_its_evaluation_said(launched, checkpoint, step):
    """It evaluates with averaged weights, and with statistics estimated for them."""
    run = garden.load_run(launched.path, checkpoint)
    assert (run.checkpoint, run.step) == (checkpoint, step)
    said = rows(launched, 'eval')[step]
    assert run.metrics['top1'] == said['top1']
    top1, loss = judged(run)
    assert top1 == pytest.approx(said['top1'], abs=1e-6)
    assert loss == pytest.approx(said['loss'], rel=1e-4)


def test_a_loaded_experiment_has_the_weights_and_batches_of_its_run(launched, tmp_path):
    changes = (launched.path / 'config.gin').read_text()
    (tmp_path / 'same.gin').write_text(changes)
    experiment = garden.load_experiment(str(tmp_path / 'same.gin'))
    assert experiment.phase.train_steps == 4
    first = tf.train.load_checkpoint(str(launched.path / 'main/checkpoints/ckpt-4'))
    shapes = first.get_variable_to_shape_map()
    stored = [n for n in shapes if n.startswith('task/model/') and 'OPTIMIZER_SLOT' not in n]
    assert len(stored) == len(experiment.model.variables)
    batches = list(experiment.train_data().take(3))
    (third,) = experiment.train_data(step=2).take(1)
    np.testing.assert_array_equal(batches[2]['image'], third['image'])


def test_nothing_of_one_experiment_reaches_another(launched):
    del launched  # The data are prepared by now.
    gin.parse_config('mine = 3')
    before = gin.config_str()
    plain = garden.load_experiment('regnety_mini', ['models.regnety.depth = 1'])
    (image, *_) = [batch['image'] for batch in plain.train_data().take(1)]
    logits = plain.model(image, training=False)
    weights = keras.backend.count_params
    size = sum(map(weights, plain.model.variables))
    other = garden.load_experiment(
        'regnety_mini',
        [
            'models.regnety.depth = 2',
            'batch_size = 8',
            'train/dataloaders.image_classification.rotation = 0.0',
            "garden.experiment.precision = 'mixed_bfloat16'",
        ],
    )
    assert next(iter(other.train_data()))['image'].shape[0] == 8
    assert other.model.compute_dtype == 'bfloat16'
    assert keras.mixed_precision.global_policy().name == 'float32'
    (again, *_) = [batch['image'] for batch in plain.train_data().take(1)]
    np.testing.assert_array_equal(image, again)
    np.testing.assert_array_equal(logits, plain.model(image, training=False))
    assert sum(map(weights, plain.model.variables)) == size
    fresh = garden.load_experiment('regnety_mini', ['models.regnety.depth = 1'])
    np.testing.assert_array_equal(plain.model.variables[0], fresh.model.variables[0])
    assert gin.config_str() == before
    assert not gin.config_is_locked()


def test_several_networks_go_by_their_names():
    loaded = garden.load_experiment('gan_mini')
    assert set(loaded.models) == {'generator', 'discriminator'}
    with pytest.raises(garden.UserError, match=r"take models\['generator'\], models\["):
        _ = loaded.model


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: garden.load_experiment('regnety_mni'), 'Did you mean regnety_mini'),
        (
            lambda: garden.load_experiment('gan_mini', ['train_step = 2']),
            'nothing reads this setting',
        ),
        (lambda: garden.load_experiment('gan_mini', phase='man'), 'Did you mean main'),
        (
            lambda: garden.load_experiment('regnety_mini', ['models.regnety.depth = -1']),
            'models.regnety',
        ),
        (lambda: garden.load_run('nowhere'), 'nowhere is no run folder'),
        (lambda: garden.launch('gan_mini', mode='evla'), 'Did you mean eval'),
        (lambda: garden.launch('gan_mini', strategy='mirored'), 'Did you mean mirrored'),
    ],
)
def test_mistakes_are_told_in_one_line(call, message):
    with pytest.raises(garden.UserError, match=message) as error:
        call()
    assert '\n' not in str(error.value)


def test_a_misspelt_checkpoint_is_told(launched):
    with pytest.raises(garden.UserError, match=r"no checkpoint 'bets'\. Did you mean best"):
        garden.load_run(launched.path, 'bets')


def test_importing_garden_imports_no_tensorflow():
    script = (
        'import sys, garden; assert garden.names("models"); assert "tensorflow" not in sys.modules'
    )
    done = subprocess.run([sys.executable, '-c', script], cwd=ROOT, check=False)
    assert done.returncode == 0
