"""An experiment of the Model Garden trains here as it trains there, and is a run like any other."""

import json

import numpy as np
import pytest
import small_experiment
import tensorflow as tf
from official.core import base_trainer, task_factory, train_utils

from garden.cli.launch import main
from garden.engine import config, randomness
from garden.engine.checkpoints import complete
from garden.engine.trainer import Trainer
from garden.model_garden import config as model_garden
from garden.model_garden.task import ModelGarden

NAME = 'small/classification'
STEPS = 4


def trainers(strategy, experiment, overrides):
    """Garden's trainer and the Model Garden's, from the same weights and over the same batches."""
    randomness.enable()
    settings = model_garden.load(experiment, overrides)
    with strategy.scope():
        ours = ModelGarden(experiment, overrides)
        task = task_factory.get_task(settings.task)
        model = task.build_model()
        model.set_weights(ours.model.get_weights())
        optimizer = train_utils.create_optimizer(task, settings)
        batches = ours._task.build_inputs(settings.task.train_data).take(STEPS).cache().repeat()
        held_out = ours._task.build_inputs(settings.task.validation_data)
        data = [strategy.experimental_distribute_dataset(of) for of in (batches, held_out)]
        theirs = base_trainer.Trainer(
            settings,
            task,
            model,
            optimizer,
            train_dataset=data[0],
            validation_dataset=data[1],
        )
    trainer = Trainer(ours, strategy, seed=0)
    trainer.open_training_data()
    trainer.open_evaluation_data()
    trainer.train_dataset, trainer._eval_dataset = data
    return trainer, theirs


def agree(ours, theirs):
    """Holds the metrics of two dictionaries to each other; returns how many there were."""
    theirs = {model_garden.metric_name(name): value for name, value in theirs.items()}
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        np.testing.assert_allclose(value, theirs[name], rtol=1e-5, atol=1e-6, err_msg=name)
    return len(ours)


def holds_equal_updates(strategy, overrides, experiment=NAME):
    trainer, theirs = trainers(strategy, experiment, overrides)
    losses = []
    for _ in range(STEPS):
        logs = trainer.train(tf.constant(1))
        with strategy.scope():
            assert agree(logs, theirs.train(tf.constant(1))) == 4
        losses.append(float(logs['loss']))
    assert len(set(losses)) == STEPS
    model, optimizer = trainer.task.model, trainer.task.optimizer
    weights = [*model.weights, *optimizer._average_weights]
    theirs_too = [*theirs.model.weights, *theirs.optimizer._average_weights]
    before = [variable.numpy() for variable in weights]
    for ours, their in zip(before, theirs_too, strict=True):
        np.testing.assert_allclose(ours, their.numpy(), rtol=1e-4, atol=1e-6)
    with trainer.evaluation_weights():
        evaluated = trainer.evaluate(tf.constant(-1))
    with strategy.scope():
        their_metrics = theirs.evaluate(tf.constant(-1))
    if 'judged' in their_metrics:
        judged = their_metrics.pop('judged')
        assert judged == [32, STEPS]
        assert [evaluated.pop('judged/0'), evaluated.pop('judged/1')] == judged
    assert agree(evaluated, their_metrics) >= 3
    # The average was evaluated, and nothing of it is left in the weights.
    assert not np.array_equal(before[0], before[len(model.weights)])
    for value, variable in zip(before, weights, strict=True):
        np.testing.assert_array_equal(value, variable.numpy())


def test_its_losses_updates_and_metrics_are_those_of_the_model_gardens_trainer(
    one_device, overrides
):
    holds_equal_updates(one_device, overrides)


@pytest.mark.slow
def test_so_they_are_on_two_replicas(two_replicas, overrides):
    holds_equal_updates(two_replicas, overrides)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_so_are_those_of_an_experiment_that_the_model_garden_ships(one_device, overrides):
    settings = small_experiment.small_classification().as_dict()
    small = {
        'task.model.num_classes': small_experiment.CLASSES,
        'task.model.input_size': [32, 32, 3],
        'task.model.backbone.resnet': {'model_id': 10, 'depth_multiplier': 0.25},
        'task.train_data.global_batch_size': 8,
        'task.validation_data.global_batch_size': 16,
        'task.evaluation.top_k': 2,
        'trainer.optimizer_config': settings['trainer']['optimizer_config'],
    }
    holds_equal_updates(one_device, small | overrides, 'resnet_imagenet')


@pytest.mark.slow
@pytest.mark.exhaustive
def test_so_are_the_metrics_of_a_small_bert(one_device):
    small = {
        'task.model.encoder.bert': {
            'num_layers': 1,
            'hidden_size': 16,
            'num_attention_heads': 2,
            'intermediate_size': 16,
            'vocab_size': 30,
        },
        'task.model.num_classes': 2,
        'task.metric_type': 'matthews_corrcoef',
        'task.train_data': {'input_path': 'dummy', 'seq_length': 8, 'global_batch_size': 4},
        'task.validation_data': {'input_path': 'dummy', 'seq_length': 8, 'global_batch_size': 4},
        'trainer.best_checkpoint_eval_metric': 'matthews_corrcoef',
        'trainer.optimizer_config': {
            'learning_rate': {'polynomial': {'decay_steps': 10}},
            'warmup': {'polynomial': {'warmup_steps': 2}},
        },
    }
    trainer, theirs = trainers(one_device, 'bert/sentence_prediction', small)
    trainer.train(tf.constant(2))
    theirs.model.set_weights(trainer.task.model.get_weights())
    evaluated = trainer.evaluate(tf.constant(2))
    assert 'matthews_corrcoef' in evaluated
    agree(evaluated, theirs.evaluate(tf.constant(2)))
    (evaluator,) = trainer.task.evaluators().values()
    assert set(evaluated) <= set(evaluator.metrics)


@pytest.fixture
def launch(tmp_path, overrides):
    """Returns a function that launches the experiment in a folder and returns the status."""
    file = tmp_path / 'small.gin'
    file.write_text(
        "import small_experiment\ninclude 'base/model_garden.gin'\n"
        f'official = {NAME!r}\noverrides = {overrides!r}\n'
    )

    def launch(folder, *bindings):
        flags = [
            f'--experiment={file}',
            f'--model_dir={tmp_path / folder}',
            '--strategy=one_device',
        ]
        return main([*flags, *(f'--gin={binding}' for binding in bindings)])

    return launch


def rows(folder, kind):
    lines = map(json.loads, (folder / 'metrics.jsonl').read_text().splitlines())
    return [line for line in lines if line['kind'] == kind]


def values(folder):
    path = complete(folder / 'main/checkpoints')[-1]
    reader = tf.train.load_checkpoint(path)
    names = [name for name, _ in tf.train.list_variables(path) if name.startswith('task/')]
    return {name: reader.get_tensor(name) for name in names}


@pytest.mark.slow
def test_it_is_launched_interrupted_and_continued_like_any_other(launch, tmp_path, capfd):
    replay = 'tasks.model_garden.replay = True'
    assert launch('whole', replay) == 0
    whole = tmp_path / 'whole'
    assert f'{NAME} of the Model Garden' in capfd.readouterr().out
    assert [row['step'] for row in rows(whole, 'train')] == [2, 4, 6, 8]
    assert [row['step'] for row in rows(whole, 'eval')] == [4, 8]
    (phase,) = json.loads((whole / 'summary.json').read_text())['phases']
    aggregated = {'kappa', 'judged/0', 'judged/1'}
    assert set(phase['metrics']) == {'loss', 'accuracy', 'top_2_accuracy', *aggregated}
    assert phase['best']['accuracy'] == max(row['accuracy'] for row in rows(whole, 'eval'))

    assert launch('parts', replay, 'train_steps = 4') == 0
    parts = tmp_path / 'parts'
    (parts / 'config.gin').write_text((whole / 'config.gin').read_text())
    assert launch('parts', replay) == 0
    straight, continued = values(whole), values(parts)
    assert straight.keys() == continued.keys()
    for name, value in straight.items():
        np.testing.assert_array_equal(value, continued[name], err_msg=name)
    losses = [[row['loss'] for row in rows(run, 'train')] for run in (whole, parts)]
    assert losses[0] == losses[1]


def test_a_continued_run_begins_another_order_unless_it_replays(overrides):
    def labels(step, replay):
        task = ModelGarden(NAME, overrides, replay=replay)
        data = task.train_data(config_feed(step))
        return np.concatenate([label for _, label in data.take(3).as_numpy_iterator()]).tolist()

    tf.config.experimental.enable_op_determinism()
    first, later = labels(0, False), labels(2, False)
    assert first == labels(0, False)
    assert first[16:] != later[:8]
    assert first == labels(0, True)
    assert first[16:] == labels(2, True)[:8]


def config_feed(step):
    from garden.core.feed import Feed

    return Feed(seed=0, step=step)


def refused(capfd, *bindings):
    flags = [f'--gin={binding}' for binding in bindings]
    assert main(['--experiment=base/model_garden.gin', '--describe', *flags]) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()
    return line


def test_mistakes_are_told_in_one_line(capfd, tmp_path):
    assert "--gin='official=...'" in refused(capfd)
    line = refused(capfd, "official = 'resnet_imagnet'")
    assert "no experiment 'resnet_imagnet'. Did you mean resnet_imagenet" in line
    official = f'official = {NAME!r}'
    line = refused(capfd, official, "overrides = {'task.model.num_clases': 3}")
    assert 'no setting task.model.num_clases. Did you mean num_classes' in line
    line = refused(capfd, official, "overrides = {'task': {'modle': {'num_classes': 3}}}")
    assert 'no setting task.modle.num_classes. Did you mean model' in line
    line = refused(capfd, official, "overrides = {'trainer.train_steps': 'ten'}")
    assert "trainer.train_steps takes int, not 'ten'" in line
    line = refused(capfd, official, f"config_files = ['{tmp_path}/none.yaml']")
    assert 'none.yaml cannot be read' in line
    line = refused(capfd, official, "train_steps/schedules.model_garden.setting = 'steps'")
    assert "'steps' is not known" in line


def test_norms_of_its_gradients_are_refused(launch, capfd):
    assert launch('run', 'phase.gradient_norms = True') == 2
    assert 'phase.gradient_norms: ModelGarden applies its gradients' in capfd.readouterr().err


def test_files_come_before_overrides(tmp_path):
    path = tmp_path / 'change.yaml'
    path.write_text('trainer:\n  train_steps: 3\n  steps_per_loop: 7\n')
    found = model_garden.load(NAME, {'trainer.train_steps': 5}, [str(path)])
    assert (found.trainer.train_steps, found.trainer.steps_per_loop) == (5, 7)


def test_its_schedule_is_that_of_the_model_garden():
    overrides = "{'trainer.best_checkpoint_eval_metric': 'validation_loss'}"
    name = 'resnet_imagenet'
    config.load('base/model_garden.gin', [f'official = {name!r}', f'overrides = {overrides}'])
    told = {
        setting: model_garden.schedule(name, setting, eval(overrides))
        for setting in ('train_steps', 'eval_steps', 'best_metric', 'precision')
    }
    assert told == {
        'train_steps': 28080,
        'eval_steps': 12,
        'best_metric': 'loss',
        'precision': 'float32',
    }
