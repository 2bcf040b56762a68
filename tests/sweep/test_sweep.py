"""`garden sweep` as a user meets it; what its trials do is done by a stand-in."""

import math
import shlex
import signal
import subprocess
import time

import pytest

from garden.engine import config

RATE = 'optimizers.sgd.learning_rate'
GRID = 'engines.optuna.sampler = @samplers.grid()'
HELD = {'STAND_IN_HOLDS_AT': '20'}  # A trial does not get beyond its first evaluation.


def wait_for(condition, seconds=60):
    """Waits until something holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'waited in vain'
        time.sleep(0.05)


def running(sweeps, number):
    """Whether a trial has evaluated something and has not ended."""
    begun = (sweeps.folder.run_folder(number) / 'metrics.jsonl').exists()
    return begun and sweeps.folder.trials()[number].state == 'running'


def points(sweeps):
    return [float(trial.point[RATE]) for trial in sweeps.folder.trials()]


def states(sweeps):
    return [trial.state for trial in sweeps.folder.trials()]


def told_once(done, *parts):
    """Asserts that a mistake was told in one line."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.count('\n') == 1 and done.stderr.startswith('error: '), done.stderr
    for part in parts:
        assert part in done.stderr


def test_a_sweep_runs_its_trials_and_tells_the_best(sweeps):
    done = sweeps.run('--jobs=2')
    assert done.returncode == 0, done.stderr
    assert states(sweeps) == ['complete'] * 4
    trials = sweeps.folder.trials()
    # The stand-in is best at a learning rate of 0.1.
    leader = min(trials, key=lambda trial: abs(math.log10(float(trial.point[RATE])) + 1))
    setting = f'{RATE} = {leader.point[RATE]}'
    assert f'trial {leader.number}, top1 {leader.value:.5g}' in done.stdout
    assert setting in done.stdout
    assert setting in sweeps.folder.best.read_text()
    assert all(len(sweeps.launches(trial.number)) == 1 for trial in trials)
    # Once more, and there is nothing left to do.
    assert sweeps.run().returncode == 0
    assert all(len(sweeps.launches(trial.number)) == 1 for trial in trials)


def test_the_best_trial_is_an_experiment(sweeps):
    sweeps.add("sweep.settings = {'train_steps': 20}", f"sweep.space = {{'{RATE}': [0.1]}}")
    assert sweeps.run('--gin=sweep.trials = 1').returncode == 0
    loaded = config.load(str(sweeps.folder.best))
    assert loaded.get(RATE) == 0.1
    assert loaded.get('train_steps') == 20


def test_a_grid_has_every_point_once(sweeps):
    sweeps.add(
        GRID,
        f"sweep.space = {{'{RATE}': [0.01, 0.1], 'models.regnety.depth': ('int', 2, 6, 2)}}",
        'sweep.trials = None',
    )
    assert sweeps.run('--jobs=3').returncode == 0
    found = [tuple(trial.point.values()) for trial in sweeps.folder.trials()]
    assert sorted(found) == sorted((r, d) for r in ('0.01', '0.1') for d in '246')


def test_a_pruned_trial_is_saved_and_can_be_continued_by_hand(sweeps, monkeypatch):
    sweeps.add(
        GRID,
        f"sweep.space = {{'{RATE}': [0.1, 0.001]}}",
        'sweep.trials = None',
        'engines.optuna.pruner = @pruners.median()',
        'pruners.median.startup_trials = 1',
        'sweep.seed = 1',
    )
    monkeypatch.setenv('STAND_IN_WAITS', '6')
    assert sweeps.run().returncode == 0
    assert points(sweeps) == [0.1, 0.001]
    assert states(sweeps) == ['complete', 'pruned']
    pruned = sweeps.folder.trials()[1]
    assert pruned.step < 30
    subprocess.run(pruned.command, check=True)
    assert sweeps.evaluated(1) == [10, 20, 30]


def test_a_trial_that_diverges_is_told_from_one_that_fails(sweeps):
    sweeps.add(GRID, f"sweep.space = {{'{RATE}': [0.1, 100.0]}}", 'sweep.trials = None')
    done = sweeps.run()
    assert done.returncode == 0
    assert sorted(states(sweeps)) == ['complete', 'diverged']
    assert 'Training diverged: loss is not finite at step 3' in done.stdout


def test_a_mistake_in_every_trial_does_not_use_up_the_trials(sweeps, monkeypatch):
    monkeypatch.setenv('STAND_IN_FAILS', 'yes')
    told_once(sweeps.run(), '3 trials in a row', 'error: the data have gone.', '0002/log.txt')
    assert states(sweeps) == ['failed'] * 3
    monkeypatch.delenv('STAND_IN_FAILS')
    assert sweeps.run().returncode == 0
    assert states(sweeps) == [*['failed'] * 3, 'complete']


def test_a_metric_that_no_evaluation_has_is_told_after_the_first(sweeps):
    sweeps.add("sweep.metric = 'top2'")
    told_once(sweeps.run(), "sweep.metric = 'top2'", 'has top1', 'Did you mean top1?')
    assert len(sweeps.folder.trials()) == 1


def test_what_nothing_reads_is_told(sweeps):
    key = 'tasks.image_classification.label_smoothing'
    sweeps.add(f"sweep.space = {{'{RATE}': [0.1], '{key}': [0.1]}}")
    done = sweeps.run('--gin=sweep.trials = 1')
    assert f'warning: trial 0: nothing reads {key}' in done.stdout
    assert 'unused' not in done.stdout
    idle = '--gin=pruners.median.warmup_steps = 10'
    done = sweeps.run('--gin=sweep.trials = 1', idle, '--sweep_dir=other')
    assert 'pruners.median.warmup_steps: nothing reads this setting.' in done.stdout


def test_trials_get_flags_threads_gpus_and_seeds(sweeps, monkeypatch):
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    monkeypatch.setattr('os.sched_getaffinity', lambda process: set(range(8)))
    sweeps.add('sweep.vary_seed = True', 'sweep.trials = 2')
    assert sweeps.run('--gpus=3,5', '--', '--data_dir=/data').returncode == 0
    first, second = (sweeps.launches(number)[0] for number in (0, 1))
    assert {first['CUDA_VISIBLE_DEVICES'], second['CUDA_VISIBLE_DEVICES']} == {'3', '5'}
    assert first['OMP_NUM_THREADS'] == '4'
    assert first['arguments'][-1] == '--data_dir=/data'
    assert '--gin=garden.experiment.seed = 1' in second['arguments']


def test_another_sweep_in_the_folder_is_refused_and_more_trials_are_not(sweeps):
    sweeps.prepare()
    assert sweeps.run('--gin=sweep.trials = 2').returncode == 0
    assert len(sweeps.folder.trials()) == 2
    told_once(sweeps.run("--gin=sweep.metric = 'loss'"), 'another sweep', 'sweep.metric')


def test_a_data_base_holds_the_studies_of_many_sweeps(sweeps, tmp_path):
    address = f'--storage=sqlite:///{tmp_path / "all.db"}'
    for name in ('runs/search', 'other/search'):
        done = sweeps.run(address, f'--sweep_dir={name}', '--gin=sweep.trials = 2')
        assert done.returncode == 0, done.stderr
        assert len(list((tmp_path / name / 'trials').iterdir())) == 2
    told_once(sweeps.run('--gin=sweep.trials = 3'), 'give the --storage that it was begun with')
    assert sweeps.run(address, '--gin=sweep.trials = 3').returncode == 0
    assert states(sweeps) == ['complete'] * 3


def test_keras_tuner_is_an_engine_as_well(sweeps):
    sweeps.add('sweep.engine = @engines.keras_tuner()')
    sweeps.add('engines.keras_tuner.oracle = @oracles.random()')
    assert sweeps.run('--gin=sweep.trials = 2', '--jobs=2').returncode == 0
    assert sweeps.run('--gin=sweep.trials = 3').returncode == 0
    assert states(sweeps) == ['complete'] * 3
    assert len(set(points(sweeps))) == 3
    told_once(sweeps.run('--storage=sqlite:///x.db'), '--storage is for Optuna')


def test_an_interrupted_sweep_goes_on_where_it_was(sweeps):
    sweeps.prepare()
    process = sweeps.start(**HELD)
    wait_for(lambda: len(sweeps.folder.trials()) > 1 and running(sweeps, 1))
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 42, output
    assert 'Run the same command' in output
    done = sweeps.run()
    assert '1 continued' in done.stdout
    assert states(sweeps) == ['complete'] * 4
    assert len(sweeps.launches(1)) == 2
    assert sweeps.evaluated(1) == [10, 20, 30]


def test_the_same_points_come_with_and_without_an_interruption(sweeps):
    assert sweeps.run('--gin=sweep.trials = 3').returncode == 0
    whole = points(sweeps)
    for stop in (1, 3):
        assert sweeps.run(f'--gin=sweep.trials = {stop}', '--sweep_dir=parts').returncode == 0
    sweeps.folder = type(sweeps.folder)(sweeps.folder.path.parents[1] / 'parts')
    assert points(sweeps) == whole
    assert len(set(whole)) == 3


def test_two_processes_share_a_study(sweeps):
    """Each trial is run once, and there are exactly as many as asked for."""
    sweeps.prepare()
    two = [sweeps.start('--gin=sweep.trials = 9', STAND_IN_WAITS='3') for _ in range(2)]
    outputs = [process.communicate(timeout=120)[0] for process in two]
    assert [process.returncode for process in two] == [0, 0], outputs
    trials = sweeps.folder.trials()
    assert [trial.number for trial in trials] == list(range(9))
    assert states(sweeps) == ['complete'] * 9
    assert len(set(points(sweeps))) == 9
    assert all(len(sweeps.launches(number)) == 1 for number in range(9))
    begun = [output.count(' started ') for output in outputs]
    assert sum(begun) == 8 and min(begun) > 0


def test_the_trial_of_a_process_that_was_killed_is_continued_by_another(sweeps):
    sweeps.prepare()
    killed = sweeps.start('--gin=sweep.trials = 2', **HELD)
    wait_for(lambda: len(sweeps.folder.trials()) > 1 and running(sweeps, 1))
    killed.kill()
    killed.wait()
    orphan = sweeps.launches(1)[0]['pid']
    # The trial lives on without its sweep: nobody may run it a second time.
    other = sweeps.start('--gin=sweep.trials = 2')
    wait_for(lambda: 'Waiting for what other processes run: 1' in other.stdout.readline())
    assert len(sweeps.launches(1)) == 1
    subprocess.run(shlex.split(f'kill -KILL {orphan}'), check=True)
    assert other.wait(timeout=60) == 0
    assert len(sweeps.launches(1)) == 2
    assert sweeps.evaluated(1) == [10, 20, 30]
    assert states(sweeps) == ['complete'] * 2


@pytest.mark.parametrize(
    ('arguments', 'parts'),
    [
        (['--jobs=0'], ['--jobs is at least 1']),
        (['--jobs=2', '--gpus=0'], ['one job on each GPU']),
        (['--job=2'], ['no flag --job', '--jobs']),
        (['--', '--model_dir=x'], ['--model_dir=x', 'sets this itself']),
        (['--sweep_dir=gs://bucket/x'], ['can be locked']),
        (['--gin=sweep.trials = None'], ['sweep.trials is to say how many']),
        (['--gin=sweep.goal = "maximum"'], ["'maximum' is not known", 'max']),
        (['--gin=sweep.engine = @engines.optna()'], ['engines.optna', 'engines.optuna']),
        (['--storage=nosuch://user:secret@host'], ['--storage=nosuch://... cannot be opened']),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(sweeps, arguments, parts):
    done = sweeps.run(*arguments)
    told_once(done, *parts)
    assert 'secret' not in done.stderr
    assert not sweeps.folder.trials()
