"""What it takes to get going: from process start to the first training step, and to a list.

    python benchmarks/startup.py [--experiment=regnety_mini] [--rounds=3]

Three processes take turns: one that only imports TensorFlow, one that launches the experiment for a
single step, and one that runs `--list`. The launch reports, through metrics.jsonl, when its first
step is done; how long tracing that step takes is measured in a fourth process. The goals: first
step within the import plus the tracing plus 2 s; the list within 0.3 s.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

_TRACE = """
import json, sys, time
from garden.cli.launch import set_environment
set_environment(False)
import tensorflow as tf
from garden.engine import config
from garden.engine.experiment import Runtime, experiment
from garden.engine.run_folder import RunFolder
from garden.engine.strategy import make_strategy

def built(phase, trainer):
    trainer.open_training_data()
    start = time.perf_counter()
    trainer.train(tf.constant(1))
    first = time.perf_counter() - start
    start = time.perf_counter()
    trainer.train(tf.constant(1))
    print(json.dumps(first - (time.perf_counter() - start)))

config.load(sys.argv[1])
experiment(Runtime(make_strategy('one_device'), RunFolder('unused'), mode='describe', built=built))
"""


def run(*command: str) -> float:
    """Runs a command and returns its wall time in seconds."""
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, env=environment())
    return time.perf_counter() - start


def environment() -> dict[str, str]:
    """Returns the environment that the launcher sets up, so that the peer imports the same."""
    return os.environ | {
        'TF_USE_LEGACY_KERAS': '1',
        'TF_CPP_MIN_LOG_LEVEL': '3',
        'PYTHONPATH': str(ROOT),
    }


def first_step(experiment: str) -> float:
    """Returns the seconds from process start to the end of the first training step."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            'launch.py',
            f'--experiment={experiment}',
            f'--model_dir={folder}/run',
            '--mode=train',
            '--gin=train_steps=1',
            '--gin=phase.steps_per_loop=1',
        ]
        metrics = Path(folder, 'run', 'metrics.jsonl')
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env=environment())
        while not (metrics.exists() and metrics.stat().st_size):
            if process.poll() not in (None, 0):
                raise SystemExit(f'{" ".join(command)} failed')
            time.sleep(0.01)
        elapsed = time.perf_counter() - start
        process.wait()
    return elapsed


def tracing(experiment: str) -> float:
    """Returns the seconds that the first training step takes beyond the second."""
    done = subprocess.run(
        [sys.executable, '-c', _TRACE, experiment],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=environment(),
    )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--experiment', default='regnety_mini')
    parser.add_argument('--rounds', type=int, default=3)
    args = parser.parse_args()
    first_step(args.experiment)  # Prepares the data set and compiles the byte code.
    rows = []
    for _ in range(args.rounds):
        rows.append(
            {
                'import tensorflow': run(sys.executable, '-c', 'import tensorflow'),
                'tracing the step': tracing(args.experiment),
                'first step': first_step(args.experiment),
                'bare python': run(sys.executable, '-c', 'pass'),
                '--list': run(sys.executable, 'launch.py', '--list'),
                '--help': run(sys.executable, 'launch.py', '--help'),
            }
        )
    medians = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
    for name, value in medians.items():
        print(f'{name:20} {value:6.2f} s')
    rest = medians['first step'] - medians['import tensorflow'] - medians['tracing the step']
    print(f'first step beyond import and tracing: {rest:.2f} s (goal: at most 2)')


if __name__ == '__main__':
    main()
