"""Stands in for launch.py: `sweep` is Garden's own, and a trial is a loop that trains nothing.

A trial behaves as a run does: it appends evaluations to metrics.jsonl, goes on after the last one
that is there, and ends with 42 when it is asked to. Its last value depends on its learning rate.
"""

import json
import math
import os
import signal
import sys
import time
from pathlib import Path

EVERY = 10


def trial(arguments):
    """Runs a trial, and returns its exit status."""
    flags = [text.removeprefix('--').partition('=') for text in arguments]
    settings = dict(value.split(' = ', 1) for name, _, value in flags if name == 'gin')
    folder = next(Path(value) for name, _, value in flags if name == 'model_dir')
    with open(folder / 'launches.jsonl', 'a') as file:
        threads = {
            name: os.environ.get(name) for name in ('OMP_NUM_THREADS', 'CUDA_VISIBLE_DEVICES')
        }
        file.write(json.dumps({'pid': os.getpid(), 'arguments': arguments, **threads}) + '\n')
    asked = []
    signal.signal(signal.SIGTERM, lambda *unused: asked.append(True))
    rate = float(settings['optimizers.sgd.learning_rate'])
    steps = int(settings.get('phase.train_steps', 30))
    if rate > 50:
        print('error: Training diverged: loss is not finite at step 3.')
        return 2
    if os.environ.get('STAND_IN_FAILS'):
        print('all is well')
        print('error: the data have gone.')
        return 2
    print("unused: --gin 'x': tasks.image_classification.label_smoothing: nothing reads this.")
    metrics = folder / 'metrics.jsonl'
    done = len(metrics.read_text().splitlines()) * EVERY if metrics.exists() else 0
    for step in range(done + EVERY, steps + 1, EVERY):
        looks = 1200 if step == int(os.environ.get('STAND_IN_HOLDS_AT', '0')) else 0
        for _ in range(looks or int(os.environ.get('STAND_IN_WAITS', '0'))):
            time.sleep(0.05)
            if asked:
                return 42
        row = {'phase': 'main', 'kind': 'eval', 'step': step, 'top1': value(rate, step / steps)}
        with open(metrics, 'a') as file:
            file.write(json.dumps(row) + '\n')
    return 0


def value(rate, part):
    """Returns what a run with a learning rate has reached after a part of it: 1 for 0.1."""
    return part * (1 - abs(math.log10(rate) + 1) / 10)


if __name__ == '__main__':
    if sys.argv[1] == 'sweep':
        sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
        from garden.cli.launch import main

        sys.exit(main())
    sys.exit(trial(sys.argv[1:]))
