"""Bad examples in a run: found, noted, left out within a budget, and bit for bit the same again."""

import dataclasses
import json
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.core import optim
from garden.core.bad_examples import BadExample
from garden.core.errors import UserError, user_error_in
from garden.core.task import Task
from garden.dataloaders.base import Dataloader
from garden.engine.experiment import Phase, Runtime, experiment
from garden.engine.failures import RunAgain, passing_failure
from garden.engine.recorder import Recorder
from garden.engine.run_folder import RunFolder
from garden.engine.skipping import Skipper
from garden.engine.trainer import Trainer
from garden.sources.memory import Arrays

SIZE = 64


class Points(Dataloader):
    """Points and their targets; a target that is not a number is an error.

    So is one of 0.5, but not in the first epoch: as a picture that is cut off is bad only where a
    crop reaches beyond the cut.
    """

    raw_spec: ClassVar = {'x': tf.TensorSpec([4], tf.float32), 'y': tf.TensorSpec([], tf.float32)}

    def parse(self, example, seed):
        later = tf.equal(example['y'], 0.5) & (seed[1] >= SIZE)
        fine = tf.math.is_finite(example['y']) & ~later
        check = tf.raw_ops.Assert(condition=fine, data=['its target is not a number'])
        with tf.control_dependencies([check]):
            noise = 0.01 * tf.random.stateless_normal([4], seed)
        return {'x': example['x'] + noise, 'y': example['y']}


def points(bad=(), late=()):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(SIZE, 4)).astype(np.float32)
    y = (x @ [1.0, -2.0, 0.5, 3.0]).astype(np.float32)
    y[list(bad)] = np.nan
    y[list(late)] = 0.5
    return Arrays({'x': x, 'y': y})


class Fit(Task):
    """Linear regression with batch statistics of each replica's own, dropout and momentum."""

    train_scalars = ('loss',)
    eval_scalars = ('error',)

    def __init__(self, train=None, evaluation=None):
        super().__init__()
        self.train, self.evaluation = train, evaluation or Points(points(), 8, False)
        self.model = keras.Sequential(
            [
                keras.layers.Dense(8, kernel_initializer=keras.initializers.GlorotUniform(1)),
                keras.layers.BatchNormalization(),
                keras.layers.Dropout(0.1),
                keras.layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(2)),
            ]
        )
        self.model.build([None, 4])
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
        self.optimizer = optim.prepare(optimizer, self.model.trainable_variables, self.model)

    def train_data(self, feed):
        return self.train(feed)

    def eval_data(self, feed):
        return self.evaluation(feed)

    def train_step(self, batch, seed):
        del seed

        def loss_fn(part):
            loss = tf.reduce_mean(tf.square(self.model(part['x'], training=True)[:, 0] - part['y']))
            return loss, {'loss': loss}

        return optim.minimize(loss_fn, batch, self.optimizer, self.model.trainable_variables)

    def eval_step(self, batch, seed):
        del seed
        return {'error': tf.abs(self.model(batch['x'], training=False)[:, 0] - batch['y'])}, {}


def trained(strategy, bad, known=(), **loader):
    """Returns a trainer after some steps, and what it skipped."""
    with strategy.scope():
        task = Fit(Points(points(bad), 8, True, **loader))
        trainer = Trainer(task, strategy, 0, skipper=Skipper(known))
    skipped = []
    trainer.skipper.tell = skipped.extend
    trainer.open_training_data()
    trainer.scalars = trainer.train(tf.constant(12))
    return trainer, skipped


def state(trainer):
    """Every number that the trainer would save, each replica's own."""
    strategy = trainer.strategy
    return [
        part.numpy()
        for variable in (*trainer.task.model.variables, *trainer.task.optimizer.variables)
        for part in strategy.experimental_local_results(variable)
    ]


def assert_same(one, other):
    for a, b in zip(state(one), state(other), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.global_step == other.global_step
    np.testing.assert_array_equal(one.scalars['loss'], other.scalars['loss'])


@pytest.mark.parametrize(
    ('name', 'bad'),
    # In the first epoch, the first replica is to read 41 and the other 44.
    [('one_device', [41]), ('two_replicas', [44]), ('two_replicas', [13, 24, 33, 41, 60])],
)
def test_a_bad_example_met_leaves_no_trace(request, name, bad):
    """As if it had been known from the beginning: no half step, no statistics of one replica."""
    strategy = request.getfixturevalue(name)
    met, skipped = trained(strategy, bad)
    assert sorted(one.index for one in skipped) == bad
    assert 0 < min(one.step for one in skipped) <= max(one.step for one in skipped) < 8
    known = [dataclasses.replace(one, step=0) for one in skipped]
    expected, nothing = trained(strategy, bad, known=known)
    assert nothing == []
    assert_same(met, expected)
    assert met.global_step == 12


class Killed(Exception):
    """Ends a run as a kill would: nothing is saved any more."""


class Killer:
    """An observer that ends the run when a bad example is met, if it is to."""

    def __init__(self, armed):
        self.armed, self.skips = armed, []

    def trained(self, step, metrics):
        pass

    def evaluated(self, step, metrics, pictures):
        pass

    def recovered(self, step, restored, what):
        pass

    def skipped(self, bad):
        self.skips += bad
        if self.armed:
            raise Killed


def launch(strategy, folder, task, mode='train_and_eval', armed=False, **schedule):
    """Runs one phase in a folder, as the launcher does; returns trainer and observer."""
    run_folder = RunFolder(folder)
    run_folder.create()
    killer, trainers = Killer(armed), []
    runtime = Runtime(
        strategy=strategy,
        folder=run_folder,
        mode=mode,
        observers=lambda phase, trainer: [Recorder(run_folder, phase.name), killer],
        built=lambda phase, trainer: trainers.append(trainer),
    )
    schedule = {
        'train_steps': 20, 'steps_per_loop': 5, 'eval_interval': 20, 'checkpoint_interval': 20,
    } | schedule  # fmt: skip
    experiment(runtime, phases=[Phase(task=task, **schedule)])
    return trainers[0], killer


@pytest.mark.parametrize('name', ['one_device', 'two_replicas'])
def test_a_run_killed_at_a_bad_example_and_started_again_ends_the_same(request, name, tmp_path):
    """Example 7 is used in the first epoch, and only later found to be bad: so it is again."""

    def task():
        return Fit(Points(points(bad=[41], late=[7]), 8, True))

    strategy = request.getfixturevalue(name)
    whole, watched = launch(strategy, tmp_path / 'whole', task)
    assert [one.index for one in watched.skips] == [41, 7]
    assert watched.skips[0].step < 8 <= watched.skips[1].step < 16
    for _ in range(2):
        with pytest.raises(Killed):
            launch(strategy, tmp_path / 'killed', task, armed=True)
    again, quiet = launch(strategy, tmp_path / 'killed', task)
    assert quiet.skips == [], 'what is known need not be met again'
    for a, b in zip(state(whole), state(again), strict=True):
        np.testing.assert_array_equal(a, b)
    bad, bad_again = (
        [row for row in RunFolder(tmp_path / name).read_metrics() if row['kind'] == 'bad_example']
        for name in ('whole', 'killed')
    )
    assert bad == bad_again
    assert [(row['index'], row['step']) for row in bad] == [
        (one.index, one.step) for one in watched.skips
    ]
    assert bad[0]['place'] == 'example 41 of sources.arrays (x, y)'
    assert bad[0]['problem'] == 'its target is not a number'


def test_a_note_cut_short_by_a_kill_is_passed_over(tmp_path):
    folder = RunFolder(tmp_path)
    one = BadExample('reader', 3, 'place', 'problem', 0, 5)
    folder.add_bad_examples('main', 0, [one])
    with open(tmp_path / 'bad_examples-worker-0.jsonl', 'a') as file:
        file.write('\n{"phase": "main", "rea')
    folder.add_bad_examples('main', 0, [dataclasses.replace(one, index=4)])
    folder.add_bad_examples('main', 1, [dataclasses.replace(one, index=5)])
    folder.add_bad_examples('other', 1, [one])
    assert [one.index for one in folder.bad_examples('main')] == [3, 4, 5]


def test_beyond_the_budget_the_run_stops_with_the_list(one_device, tmp_path):
    def task(budget):
        return lambda: Fit(Points(points(bad=[13, 41]), 8, True, bad_examples=budget))

    with pytest.raises(UserError) as error:
        launch(one_device, tmp_path, task(1))
    reader = 'sources.arrays (x, y)'
    first, second = (  # In the order in which they were met.
        f'example {index} of {reader}: its target is not a number' for index in (13, 41)
    )
    assert str(user_error_in(error.value)).startswith(
        f'{reader} (64 examples for training): 2 bad examples, where Points.bad_examples allows 1: '
        f'{first}; {second}. Mend or remove what is bad, or raise Points.bad_examples.'
    )
    # What stopped the run is not taken for skipped when it goes on with a larger budget.
    _, watched = launch(one_device, tmp_path, task(2))
    assert [one.index for one in watched.skips] == [41]


def test_an_evaluation_allows_no_bad_example_unless_told_to(one_device, tmp_path):
    def task(**loader):
        return lambda: Fit(
            Points(points(), 8, True), Points(points(bad=[40, 42, 50]), 8, False, **loader)
        )

    with pytest.raises(UserError) as error:
        launch(one_device, tmp_path / 'strict', task(), train_steps=2)
    assert '64 examples for evaluation): 2 bad examples, where' in str(error.value)
    assert 'allows 0: example 40 of' in str(error.value)

    trainer, watched = launch(one_device, tmp_path / 'lax', task(bad_examples=3), train_steps=2)
    assert [one.index for one in watched.skips] == [40, 42, 50]
    good = np.setdiff1d(np.arange(SIZE), [40, 42, 50])
    fine = points()._tensors
    predicted = trainer.task.model(tf.gather(fine['x'], good)).numpy()[:, 0]
    rows = [json.loads(line) for line in (tmp_path / 'lax/metrics.jsonl').read_text().splitlines()]
    (error,) = [row['error'] for row in rows if row['kind'] == 'eval']
    expected = np.abs(predicted - tf.gather(fine['y'], good)).mean()
    assert error == pytest.approx(expected, abs=0.01)  # There is noise on the points.


def test_an_error_that_no_example_causes_stays_what_it_is(one_device, tmp_path):
    class Broken(Fit):
        def train_step(self, batch, seed):
            check = tf.raw_ops.Assert(
                condition=tf.reduce_all(batch['y'] > 1e9), data=['the model is wrong']
            )
            with tf.control_dependencies([check]):
                return super().train_step(batch, seed)

    with pytest.raises(tf.errors.InvalidArgumentError, match='the model is wrong'):
        launch(one_device, tmp_path, lambda: Broken(Points(points(), 8, True)))
    assert not list(tmp_path.glob('bad_examples*'))


def test_one_of_several_workers_notes_the_example_and_leaves(one_device):
    """The others wait in a collective: only a new start can bring all of them to the same step."""
    kept = []
    with one_device.scope():
        skipper = Skipper(keep=kept.extend, alone=False)
        trainer = Trainer(Fit(Points(points([41]), 8, True)), one_device, 0, skipper=skipper)
    trainer.open_training_data()
    with pytest.raises(RunAgain, match='example 41 of') as error:
        trainer.train(tf.constant(8))
    assert [one.index for one in kept] == [41]
    workers = tf.distribute.MultiWorkerMirroredStrategy.__new__(
        tf.distribute.MultiWorkerMirroredStrategy
    )
    assert 'example 41' in passing_failure(error.value, workers)
