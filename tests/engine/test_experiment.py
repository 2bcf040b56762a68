"""Phases, schedules, checkpoints and the run folder, through the one entry function."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from toy import Toy

from garden.core.errors import UserError
from garden.engine.controller import Diverged
from garden.engine.experiment import Phase
from garden.engine.interruption import Interrupted, Interruption


def full(**changes):
    """A phase with everything that could break a resume: dropout, noise, statistics, averages."""

    def task():
        return Toy(
            dropout=0.3,
            noise=True,
            normalization=keras.layers.BatchNormalization,
            average_decay=0.9,
        )

    settings = {
        'train_steps': 60,
        'steps_per_loop': 7,
        'eval_interval': 20,
        'checkpoint_interval': 10,
        'best_metric': 'error',
        'best_mode': 'min',
    }
    return Phase(task=task, **(settings | changes))


class After(Interruption):
    """Asks to stop when asked for the n-th time."""

    def __init__(self, count):
        super().__init__()
        self._left = count

    @property
    def requested(self):
        self._left -= 1
        return self._left < 0

    @requested.setter
    def requested(self, value):
        del value


def rows(folder, kind=None):
    lines = (folder / 'metrics.jsonl').read_text().splitlines()
    parsed = [json.loads(line) for line in lines]
    for row in parsed:
        row.pop('steps_per_second', None)
        row.pop('examples_per_second', None)
    return [row for row in parsed if kind in (None, row['kind'])]


@pytest.mark.parametrize('replicas', [1, 2])
def test_an_interrupted_run_goes_on_bit_for_bit(
    replicas, one_device, two_replicas, runner, fingerprint, tmp_path
):
    strategy = one_device if replicas == 1 else two_replicas
    _, (straight,) = runner(strategy, full(), folder='straight')
    for stop in (2, 9):
        with pytest.raises(Interrupted):
            runner(strategy, full(), folder='broken', interruption=After(stop))
    _, (resumed,) = runner(strategy, full(), folder='broken')
    assert fingerprint(resumed) == fingerprint(straight)
    evaluations = rows(tmp_path / 'straight', 'eval')
    assert rows(tmp_path / 'broken', 'eval') == evaluations
    assert [row['step'] for row in evaluations] == [20, 40, 60]


def test_steps_after_the_last_checkpoint_are_taken_again_equally(
    one_device, runner, fingerprint, tmp_path
):
    _, (straight,) = runner(one_device, full(), folder='straight')

    class Killed(Exception):
        pass

    class Bomb(Interruption):
        def __init__(self):
            super().__init__()
            self.asked = 0

        @property
        def requested(self):
            self.asked += 1
            if self.asked > 9:
                raise Killed
            return False

        @requested.setter
        def requested(self, value):
            del value

    with pytest.raises(Killed):
        runner(one_device, full(checkpoint_interval=30), folder='broken', interruption=Bomb())
    _, (resumed,) = runner(one_device, full(checkpoint_interval=30), folder='broken')
    assert fingerprint(resumed) == fingerprint(straight)
    assert rows(tmp_path / 'broken', 'eval') == rows(tmp_path / 'straight', 'eval')
    steps = [row['step'] for row in rows(tmp_path / 'broken', 'train')]
    assert steps == sorted(set(steps))


def test_a_complete_run_started_again_says_what_it_came_to(one_device, runner):
    (first,), _ = runner(one_device, full())
    (again,), (trainer,) = runner(one_device, full())
    assert again.metrics == first.metrics
    assert again.step == 60
    assert int(trainer.global_step.numpy()) == 60


def test_checkpoints_are_kept_and_the_best_beside_them(one_device, runner, tmp_path):
    (result,), _ = runner(one_device, full(keep_checkpoints=2))
    kept = sorted(path.name for path in (tmp_path / 'run/main/checkpoints').glob('*.index'))
    assert kept == ['ckpt-50.index', 'ckpt-60.index']
    evaluations = rows(tmp_path / 'run', 'eval')
    best = min(evaluations, key=lambda row: row['error'])
    assert result.best == {'step': best['step'], 'error': best['error']}
    (best_file,) = (tmp_path / 'run/main/best').glob('*.index')
    assert best_file.name == f'ckpt-{best["step"]}.index'


def test_a_nan_evaluation_is_never_the_best(one_device, runner):
    class Bad(Toy):
        def eval_step(self, batch, seed):
            scalars, outputs = super().eval_step(batch, seed)
            nan = tf.where(self.optimizer.iterations < 15, math.nan, 0.0)
            return {'error': scalars['error'] + nan}, outputs

    phase = Phase(
        task=Bad,
        train_steps=30,
        eval_interval=10,
        best_metric='error',
        best_mode='min',
    )
    (result,), _ = runner(one_device, phase)
    assert result.best['step'] in (20, 30)


def test_training_stops_when_patience_runs_out(one_device, runner):
    class Stuck(Toy):
        def eval_step(self, batch, seed):
            scalars, outputs = super().eval_step(batch, seed)
            return {'error': tf.ones_like(scalars['error'])}, outputs

    phase = Phase(task=Stuck, train_steps=100, eval_interval=10, best_metric='error', patience=3)
    (result,), _ = runner(one_device, phase)
    assert result.step == 40
    (again,), _ = runner(one_device, phase)
    assert again.step == 40


def test_divergence_stops_the_run_and_is_not_saved(one_device, runner, tmp_path):
    phase = full(checkpoint_interval=7)
    diverging = Phase(
        task=lambda: Toy(optimizer=lambda: keras.optimizers.SGD(1e6)),
        train_steps=60,
        steps_per_loop=5,
        checkpoint_interval=5,
    )
    with pytest.raises(Diverged, match='loss is not finite at step'):
        runner(one_device, diverging)
    for path in (tmp_path / 'run/main/checkpoints').glob('*.index'):
        for name, _ in tf.train.list_variables(str(path.with_suffix(''))):
            if '/model/' in name and name.endswith('VARIABLE_VALUE'):
                value = tf.train.load_variable(str(path.with_suffix('')), name)
                assert np.isfinite(value).all()
    assert phase.checkpoint_interval == 7


def test_a_damaged_checkpoint_is_skipped(one_device, runner, fingerprint, tmp_path):
    _, (straight,) = runner(one_device, full(), folder='straight')
    with pytest.raises(Interrupted):
        runner(one_device, full(), folder='run', interruption=After(9))
    newest = max(
        (tmp_path / 'run/main/checkpoints').glob('*.data*'),
        key=lambda path: int(path.name.split('-')[1].split('.')[0]),
    )
    newest.write_bytes(newest.read_bytes()[:100])
    _, (resumed,) = runner(one_device, full(), folder='run')
    assert fingerprint(resumed) == fingerprint(straight)


def test_a_checkpoint_of_another_model_is_refused_in_one_line(one_device, runner):
    runner(one_device, Phase(task=Toy, train_steps=5))
    other = Phase(task=lambda: Toy(normalization=keras.layers.BatchNormalization), train_steps=10)
    with pytest.raises(UserError, match='does not fit this configuration') as caught:
        runner(one_device, other)
    assert '\n' not in str(caught.value).splitlines()[0]
    assert 'batch_normalization' in str(caught.value)


def test_a_phase_starts_from_parts_of_an_earlier_one(one_device, runner):
    first = Phase(task=Toy, train_steps=50, name='first')
    second = Phase(
        task=lambda: Toy(optimizer=lambda: keras.optimizers.SGD(0.0)),
        train_steps=5,
        name='second',
        warm_start=(('model', 'first'),),
    )
    results, (one, two) = runner(one_device, first, second)
    assert [result.phase for result in results] == ['first', 'second']
    for a, b in zip(one.task.model.variables, two.task.model.variables, strict=True):
        np.testing.assert_array_equal(a.numpy(), b.numpy())
    assert int(two.global_step.numpy()) == 5


@pytest.mark.parametrize(
    'warm_start, message',
    [
        ((('model', 'frist'),), 'neither an earlier phase .* Did you mean first'),
        ((('modle', 'first'),), "'modle', which Toy does not have"),
    ],
)
def test_a_warm_start_from_nowhere_is_refused(one_device, runner, warm_start, message):
    first = Phase(task=Toy, train_steps=5, name='first')
    second = Phase(task=Toy, train_steps=5, name='second', warm_start=warm_start)
    with pytest.raises(UserError, match=message):
        runner(one_device, first, second)


def test_a_warm_start_of_another_shape_is_refused(one_device, runner):
    first = Phase(task=Toy, train_steps=5, name='first')
    second = Phase(
        task=lambda: Toy(normalization=keras.layers.BatchNormalization),
        train_steps=5,
        name='second',
        warm_start=(('model', 'first'),),
    )
    with pytest.raises(UserError, match='cannot be filled'):
        runner(one_device, first, second)


def test_evaluation_alone_reads_the_newest_checkpoint(one_device, runner):
    (trained,), _ = runner(one_device, full())
    (evaluated,), _ = runner(one_device, full(), mode='eval')
    assert evaluated.metrics == trained.metrics


def test_evaluation_without_a_checkpoint_is_refused(one_device, runner):
    with pytest.raises(UserError, match='nothing to evaluate'):
        runner(one_device, full(), mode='eval')


def test_continuous_evaluation_follows_a_run_to_its_end(one_device, runner):
    (trained,), _ = runner(one_device, full())
    (followed,), _ = runner(one_device, full(), mode='continuous_eval')
    assert followed.metrics == trained.metrics
    assert followed.step == 60


def test_targets_are_judged_by_the_last_evaluation(one_device, runner):
    phase = full(targets=('error <= 100', 'error >= 100', 'absent >= 0'))
    (result,), _ = runner(one_device, phase)
    assert result.targets == {'error <= 100': True, 'error >= 100': False, 'absent >= 0': False}


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'targets': ('error < 1',)}, 'not of the form'),
        ({'best_metric': 'accuracy'}, "'accuracy', which the evaluation does not report"),
        ({'best_mode': 'most'}, "'max' or 'min'"),
        ({'best_metric': None, 'patience': 2}, 'needs phase.best_metric'),
    ],
)
def test_mistakes_in_a_phase_are_named(one_device, runner, changes, message):
    with pytest.raises(UserError, match=message):
        runner(one_device, full(**changes))


def test_phases_need_names_of_their_own(one_device, runner):
    with pytest.raises(UserError, match='Two phases have one name'):
        runner(one_device, full(), full())


def test_zero_steps_are_refused():
    with pytest.raises(UserError, match=r'phase\.train_steps is at least 1'):
        full(train_steps=0)
