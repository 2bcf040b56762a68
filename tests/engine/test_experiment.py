"""Phases, schedules, checkpoints and the run folder, through the one entry function."""

import dataclasses
import json
import math
import shutil

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from running import fingerprint, runner_in
from toy import Toy, full

from garden.core.errors import UserError
from garden.engine.controller import Diverged
from garden.engine.experiment import Phase
from garden.engine.interruption import Interrupted, Interruption


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
    replicas, one_device, two_replicas, runner, straight, tmp_path
):
    strategy = one_device if replicas == 1 else two_replicas
    for stop in (2, 9):
        with pytest.raises(Interrupted):
            runner(strategy, full(), folder='broken', interruption=After(stop))
    _, (resumed,) = runner(strategy, full(), folder='broken')
    assert fingerprint(resumed) == straight(strategy).fingerprint
    evaluations = rows(straight(strategy).folder, 'eval')
    assert rows(tmp_path / 'broken', 'eval') == evaluations
    assert [row['step'] for row in evaluations] == [20, 40, 60]


def test_steps_after_the_last_checkpoint_are_taken_again_equally(
    one_device, runner, straight, tmp_path
):
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
    assert fingerprint(resumed) == straight(one_device).fingerprint
    assert rows(tmp_path / 'broken', 'eval') == rows(straight(one_device).folder, 'eval')
    steps = [row['step'] for row in rows(tmp_path / 'broken', 'train')]
    assert steps == sorted(set(steps))


def test_a_complete_run_started_again_says_what_it_came_to(one_device, runner, tmp_path):
    (first,), _ = runner(one_device, full())
    (again,), (trainer,) = runner(one_device, full())
    assert again.metrics == first.metrics
    assert again.step == 60
    assert [row['step'] for row in rows(tmp_path / 'run', 'eval')] == [20, 40, 60]
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


class Exploding(Toy):
    """Its loss, or its weights, are not finite from a step on, for some orders of the data."""

    def __init__(self, at=25, attempts=1, weights=False, **toy):
        super().__init__(**toy)
        self.at, self.attempts, self.weights = at, attempts, weights
        self.order = tf.Variable(0, dtype=tf.int64, trainable=False)
        self.starts = []

    def train_data(self, feed):
        self.order.assign(feed.seed >> 32)
        self.starts.append(feed.step)
        return super().train_data(feed)

    def train_step(self, batch, seed):
        scalars = super().train_step(batch, seed)
        bad = (self.optimizer.iterations > self.at) & (self.order < self.attempts)
        nan = tf.where(bad, math.nan, 0.0)
        if self.weights:
            self.model.trainable_variables[0].assign_add(tf.fill([4, 8], nan))
            return {'loss': tf.zeros_like(scalars['loss'])}
        return {'loss': scalars['loss'] + nan}


@pytest.mark.parametrize('weights', [False, True])
def test_divergence_goes_back_to_a_good_state_with_other_batches(
    one_device, runner, tmp_path, weights
):
    phase = Phase(
        task=lambda: Exploding(attempts=2, weights=weights),
        train_steps=60,
        steps_per_loop=5,
        eval_interval=20,
        checkpoint_interval=20,
    )
    (result,), (trainer,) = runner(one_device, phase)
    assert result.step == 60
    assert trainer.finite()
    recoveries = rows(tmp_path / 'run', 'recovery')
    # A loss shows at the end of its loop; a weight when it is to be evaluated or saved.
    found = 40 if weights else 30
    what = ['a weight'] if weights else ['loss']
    assert [(r['step'], r['restored'], r['what']) for r in recoveries] == [(found, 20, what)] * 2
    assert trainer.task.starts == [0, 20, 20]  # The data went back with the weights.
    evaluations = rows(tmp_path / 'run', 'eval')
    assert [row['step'] for row in evaluations] == [20, 40, 60]
    assert all(row['error'] is not None for row in evaluations)


def test_divergence_once_too_often_stops_the_run_and_is_not_saved(one_device, runner, tmp_path):
    phase = Phase(
        task=lambda: Exploding(attempts=9, weights=True),
        train_steps=60,
        steps_per_loop=5,
        eval_interval=20,
        checkpoint_interval=5,
        max_recoveries=1,
    )
    with pytest.raises(Diverged, match='diverged for the 2th time: a weight is not finite'):
        runner(one_device, phase)
    paths = list((tmp_path / 'run/main/checkpoints').glob('*.index'))
    assert paths
    for path in paths:
        reader = tf.train.load_checkpoint(str(path.with_suffix('')))
        for name in reader.get_variable_to_shape_map():
            if '/model/' in name and name.endswith('VARIABLE_VALUE'):
                assert np.isfinite(reader.get_tensor(name)).all()


def test_a_run_that_diverges_in_its_first_loop_has_a_state_to_go_back_to(
    one_device, runner, tmp_path
):
    phase = Phase(task=lambda: Exploding(at=1), train_steps=20, steps_per_loop=5)
    (result,), (trainer,) = runner(one_device, phase)
    assert result.step == 20 and trainer.finite()
    assert [row['restored'] for row in rows(tmp_path / 'run', 'recovery')] == [0]


def test_a_run_killed_after_a_recovery_goes_on_bit_for_bit(one_device, runner, tmp_path):
    def phase():
        return Phase(
            task=lambda: Exploding(attempts=1, noise=True, dropout=0.2),
            train_steps=60,
            steps_per_loop=5,
            eval_interval=20,
            checkpoint_interval=20,
        )

    _, (straight,) = runner(one_device, phase(), folder='straight')
    for stop in (5, 3):
        with pytest.raises(Interrupted):
            runner(one_device, phase(), folder='broken', interruption=After(stop))
    _, (resumed,) = runner(one_device, phase(), folder='broken')
    assert fingerprint(resumed) == fingerprint(straight)


def final_values(folder):
    """Every tensor of the last checkpoint but the description of its objects, which has names."""
    reader = tf.train.load_checkpoint(str(folder / 'main/checkpoints/ckpt-60'))
    names = set(reader.get_variable_to_shape_map()) - {'_CHECKPOINTABLE_OBJECT_GRAPH'}
    return {name: reader.get_tensor(name).tobytes() for name in names}


@pytest.mark.parametrize('replicas', [1, 2])
def test_the_last_checkpoint_holds_the_same_values(
    replicas, one_device, two_replicas, runner, straight, tmp_path
):
    strategy = one_device if replicas == 1 else two_replicas
    with pytest.raises(Interrupted):
        runner(strategy, full(), folder='broken', interruption=After(4))
    runner(strategy, full(), folder='broken')
    values = final_values(straight(strategy).folder)
    assert len(values) > 10
    assert final_values(tmp_path / 'broken') == values


def test_the_size_of_a_checkpoint_does_not_grow_with_the_steps(one_device, runner, tmp_path):
    runner(one_device, full(checkpoint_interval=20, keep_checkpoints=9))
    sizes = {p.stat().st_size for p in (tmp_path / 'run/main/checkpoints').glob('ckpt-*.data*')}
    assert len(sizes) == 1


def test_another_number_of_replicas_goes_on_from_the_same_step(one_device, two_replicas, runner):
    with pytest.raises(Interrupted):
        runner(two_replicas, full(), interruption=After(9))
    (result,), _ = runner(one_device, full())
    assert result.step == 60


def truncated(path):
    path.write_bytes(path.read_bytes()[:100])


def emptied(path):
    path.write_bytes(b'')


def flipped(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


def removed(path):
    path.unlink()


@pytest.mark.parametrize(
    'part, damage',
    [
        ('.data', truncated),
        ('.data', emptied),
        ('.data', flipped),
        ('.data', removed),
        ('.index', truncated),
        ('.index', emptied),
        ('.index', flipped),
        ('.index', removed),
        ('checkpoint', emptied),
        ('checkpoint', removed),
        ('checkpoint', lambda path: path.write_text('garbage')),
    ],
)
def test_a_damaged_checkpoint_is_skipped(
    one_device, runner, tmp_path, part, damage, straight, broken_off
):
    shutil.copytree(broken_off, tmp_path / 'run')
    folder = tmp_path / 'run/main/checkpoints'
    if part == 'checkpoint':
        damage(folder / part)
    else:
        damage(max(folder.glob(f'*{part}*'), key=step_in_name))
    _, (resumed,) = runner(one_device, full())
    assert fingerprint(resumed) == straight(one_device).fingerprint


def step_in_name(path):
    return int(path.name.split('-')[1].split('.')[0])


@pytest.fixture(scope='module')
def broken_off(one_device, tmp_path_factory):
    """The folder of a run that was interrupted in its midst."""
    root = tmp_path_factory.mktemp('broken_off')
    with pytest.raises(Interrupted):
        runner_in(root)(one_device, full(), interruption=After(9))
    return root / 'run'


def test_leftovers_of_a_killed_save_are_removed(one_device, runner, tmp_path):
    runner(one_device, full())
    folder = tmp_path / 'run/main/checkpoints'
    (folder / 'ckpt-99_temp').mkdir()
    (folder / 'ckpt-99_temp' / 'part').write_bytes(b'half')
    (folder / 'ckpt-99.data-00000-of-00001').write_bytes(b'no index')
    (folder / 'notes.txt').write_text("a user's own file")
    runner(one_device, full())
    names = {path.name for path in folder.iterdir()}
    assert not [name for name in names if '99' in name]
    assert 'notes.txt' in names


def test_checkpoints_that_cannot_be_read_at_all_do_not_start_the_run_anew(
    one_device, runner, tmp_path
):
    runner(one_device, full())
    for path in (tmp_path / 'run/main/checkpoints').glob('*.data*'):
        truncated(path)
    with pytest.raises(UserError, match='None of the checkpoints'):
        runner(one_device, full())


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


class Described(Toy):
    """Says which network it has."""

    def models(self):
        return {'model': (self.model, tf.TensorSpec([1, 4]))}


def averaged():
    return Described(average_decay=0.5)


def test_a_run_starts_from_the_networks_of_another(one_device, runner, tmp_path):
    _, (one,) = runner(one_device, Phase(task=Described, train_steps=20), folder='one')
    source = str(tmp_path / 'one' / 'main' / 'checkpoints')
    phase = Phase(task=averaged, train_steps=3, checkpoint_interval=1, keep_checkpoints=9)
    _, (two,) = runner(one_device, phase, folder='two', init_checkpoint=source)
    assert int(two.global_step.numpy()) == 3
    first = averaged()
    before = str(tmp_path / 'two' / 'main' / 'checkpoints' / 'ckpt-0')
    tf.train.Checkpoint(task=first).restore(before).expect_partial()
    for name in ('model', 'average'):
        for a, b in zip(one.task.model.variables, values_of(getattr(first, name)), strict=True):
            np.testing.assert_array_equal(a.numpy(), b.numpy())
    # Launched again, it goes on from its own checkpoint.
    longer = dataclasses.replace(phase, train_steps=4)
    _, (three,) = runner(one_device, longer, folder='two', init_checkpoint=source)
    assert int(three.global_step.numpy()) == 4


def values_of(part):
    return part.shadows if hasattr(part, 'shadows') else part.variables


def test_a_checkpoint_from_elsewhere_is_evaluated_without_training(one_device, runner, tmp_path):
    (trained,), (one,) = runner(one_device, Phase(task=Described, train_steps=20), folder='one')
    source = str(tmp_path / 'weights')
    part = tf.train.Checkpoint(model=one.task.model)
    tf.train.Checkpoint(task=part).write(source)  # As the command convert writes it.
    phase = Phase(task=averaged, train_steps=20)
    (found,), _ = runner(one_device, phase, folder='two', mode='eval', init_checkpoint=source)
    assert found.metrics == trained.metrics
    assert found.step == 0
    # A run that has a checkpoint is evaluated at that.
    (again,), _ = runner(
        one_device,
        Phase(task=Described, train_steps=20),
        folder='one',
        mode='eval',
        init_checkpoint=str(tmp_path / 'nothing'),
    )
    assert again.step == 20


def test_replicas_start_from_it_with_their_statistics(one_device, two_replicas, runner, tmp_path):
    phase = Phase(
        task=lambda: Described(normalization=keras.layers.BatchNormalization), train_steps=20
    )
    (trained,), _ = runner(one_device, phase, folder='one')
    source = str(tmp_path / 'one' / 'main' / 'checkpoints')
    (found,), _ = runner(two_replicas, phase, folder='two', mode='eval', init_checkpoint=source)
    assert found.metrics == pytest.approx(trained.metrics, rel=1e-5)


def test_what_is_no_checkpoint_to_start_from_is_refused(one_device, runner, tmp_path):
    wide = Phase(
        task=lambda: Described(normalization=keras.layers.BatchNormalization), train_steps=5
    )
    runner(one_device, Phase(task=Described, train_steps=5), folder='one')
    source = str(tmp_path / 'one' / 'main' / 'checkpoints' / 'ckpt-5')
    nowhere = str(tmp_path / 'x.safetensors')
    cut = str(tmp_path / 'cut')
    shutil.copy(f'{source}.index', f'{cut}.index')
    (tmp_path / 'cut.data-00000-of-00001').write_bytes(b'cut short')
    for task, path, message in (
        (Described, nowhere, 'x.safetensors is no checkpoint.*no file of weights'),
        (Described, cut, "'model' of Described cannot be filled from .*cut: Read less bytes"),
        (Toy, source, 'Toy names no network.*warm_start'),
        (wide.task, source, "--init_checkpoint: 'model' of Described cannot be filled"),
    ):
        for mode in ('train', 'eval'):
            phase = dataclasses.replace(wide, task=task)
            with pytest.raises(UserError, match=message):
                runner(one_device, phase, folder='new', mode=mode, init_checkpoint=path)


def test_evaluation_alone_reads_the_newest_checkpoint(one_device, runner):
    (trained,), _ = runner(one_device, full())
    (evaluated,), _ = runner(one_device, full(), mode='eval')
    assert evaluated.metrics == trained.metrics


def test_evaluation_without_a_checkpoint_is_refused(one_device, runner):
    with pytest.raises(UserError, match='nothing to evaluate'):
        runner(one_device, full(), mode='eval')


def test_evaluation_alone_covers_each_phase_that_has_begun(one_device, runner, caplog):
    first, second = (full(name=name, train_steps=20) for name in ('first', 'second'))
    third = full(name='third', train_steps=20)
    trained, _ = runner(one_device, first, second)
    evaluated, _ = runner(one_device, first, second, third, mode='eval')
    assert [result.metrics for result in evaluated] == [result.metrics for result in trained]
    assert 'third has no checkpoint yet' in caplog.text


def test_continuous_evaluation_follows_a_run_to_its_end(one_device, runner):
    first, second = full(name='first', train_steps=20), full(name='second')
    trained, _ = runner(one_device, first, second)
    followed, _ = runner(one_device, first, second, mode='continuous_eval')
    assert [result.metrics for result in followed] == [result.metrics for result in trained]
    assert [result.step for result in followed] == [20, 60]


def test_continuous_evaluation_keeps_the_best_over_restarts(one_device, runner, tmp_path):
    """The trainer only trains; what is best, the other process finds."""
    folder = tmp_path / 'run/main'
    found = []
    for steps in (20, 40, 60):
        runner(one_device, full(train_steps=steps), mode='train')
        (result,), _ = runner(one_device, full(train_steps=steps), mode='continuous_eval')
        found.append((result.metrics['error'], steps))
        assert result.best == {'step': min(found)[1], 'error': min(found)[0]}
        (best,) = (folder / 'best_evaluated').glob('*.index')
        assert best.name == f'ckpt-{min(found)[1]}.index'
    assert not (folder / 'best').exists()
    stored = tf.train.load_checkpoint(str(best.with_suffix('')))
    step = stored.get_tensor('progress/global_step/.ATTRIBUTES/VARIABLE_VALUE')
    assert step == min(found)[1]


def test_continuous_evaluation_says_what_it_waits_for(one_device, tmp_path):
    from garden.engine.experiment import Runtime, experiment
    from garden.engine.run_folder import RunFolder

    said = []
    interruption = Interruption()

    def waiting(phase, step):
        said.append((phase.name, step))
        interruption.request()

    runtime = Runtime(
        one_device,
        RunFolder(tmp_path / 'run', trains=False),
        mode='continuous_eval',
        interruption=interruption,
        waiting=waiting,
    )
    with pytest.raises(Interrupted):
        experiment(runtime, phases=[full()])
    assert said == [('main', None)]


def test_targets_are_judged_by_the_last_evaluation(one_device, runner):
    phase = full(targets=('error <= 100', 'error >= 100'))
    (result,), _ = runner(one_device, phase)
    assert result.targets == {'error <= 100': True, 'error >= 100': False}


def test_the_schedule_counts_from_step_0_wherever_a_process_started(one_device, runner, tmp_path):
    phase = full(keep_checkpoints=99)
    with pytest.raises(Interrupted):
        runner(one_device, phase, interruption=After(3))  # At step 20, and again at 21.
    with pytest.raises(Interrupted):
        runner(one_device, phase, interruption=After(2))
    runner(one_device, phase)
    assert [row['step'] for row in rows(tmp_path / 'run', 'eval')] == [20, 40, 60]
    saved = {step_in_name(path) for path in (tmp_path / 'run').glob('main/checkpoints/*.index')}
    assert saved >= set(range(0, 70, 10))
    assert len(saved) <= 9


def test_a_run_killed_between_its_best_and_the_save_keeps_the_same_best(
    one_device, runner, tmp_path, monkeypatch
):
    from garden.engine.recorder import Recorder

    (straight,), _ = runner(one_device, full(), folder='straight')
    evaluated = Recorder.evaluated

    def dying(self, step, metrics, pictures):
        if step == 40:
            raise KeyboardInterrupt  # The best is written, the checkpoint of this step is not.
        evaluated(self, step, metrics, pictures)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Recorder, 'evaluated', dying)
        runner(one_device, full())
    (result,), _ = runner(one_device, full())
    assert result.best == straight.best
    (best,) = (tmp_path / 'run/main/best').glob('*.index')
    assert step_in_name(best) == result.best['step']


def test_the_rate_counts_training_alone(one_device, runner, monkeypatch, tmp_path):
    from garden.engine import controller
    from garden.engine.trainer import Trainer

    class Clock:
        now = 0.0

        def perf_counter(self):
            self.now += 1.0
            return self.now

    clock = Clock()
    evaluate = Trainer.evaluate

    def slow(self, steps):
        clock.now += 1000.0
        return evaluate(self, steps)

    monkeypatch.setattr(controller, 'time', clock)
    monkeypatch.setattr(Trainer, 'evaluate', slow)
    runner(one_device, full(steps_per_loop=10, train_steps=40))
    lines = (tmp_path / 'run/metrics.jsonl').read_text().splitlines()
    rates = [json.loads(line).get('steps_per_second') for line in lines]
    assert [rate for rate in rates if rate] == [10.0] * 4


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'targets': ('error < 1',)}, 'not of the form'),
        ({'best_metric': 'accuracy'}, "'accuracy', which Toy does not report"),
        ({'targets': ('eror <= 1',)}, 'Did you mean error'),
        ({'patience': 0}, 'at least 1'),
        ({'checkpoint_interval': None}, 'needs a number'),
        ({'eval_steps': 0}, 'or -1 for all data'),
        ({'keep_checkpoints': 0}, 'at least 1'),
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
