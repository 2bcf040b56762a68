"""How long training stands still for a checkpoint, against the time between two of them.

    python benchmarks/checkpoint_stall.py [--experiment=regnety_mini] [--saves=10] [--interval=200]

In one process, the same steps are taken with checkpoints written in the background, and with
checkpoints written in the foreground. A stall is the time from the call of the checks and the save
to their return; the figure is the stall's share of the time between two saves. Its goal, in the
background, is at most 1 %.
"""

import argparse
import statistics
import tempfile
import time

import tensorflow as tf

from garden.engine import config
from garden.engine.checkpoints import Checkpoints
from garden.engine.experiment import Phase, Runtime, experiment
from garden.engine.progress import Progress
from garden.engine.run_folder import RunFolder
from garden.engine.strategy import make_strategy
from garden.engine.trainer import Trainer


def measure(trainer: Trainer, background: bool, saves: int, interval: int) -> tuple[float, float]:
    """Returns the median stall and the median time between two saves, in seconds."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Checkpoints(
            f'{folder}/last',
            f'{folder}/best',
            trainer.strategy,
            {'task': trainer.task, 'progress': Progress(trainer.global_step)},
            background=background,
        )
        stalls, between = [], []
        for number in range(saves + 1):
            start = time.perf_counter()
            trainer.train(tf.constant(interval))
            between.append(time.perf_counter() - start)
            start = time.perf_counter()
            trainer.finite()
            checkpoints.save(number)
            stalls.append(time.perf_counter() - start)
        checkpoints.finish()
    # The first save prepares what the others find done.
    return statistics.median(stalls[1:]), statistics.median(between[1:])


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--experiment', default='regnety_mini')
    parser.add_argument('--saves', type=int, default=10)
    parser.add_argument('--interval', type=int, default=200)
    args = parser.parse_args()
    config.load(args.experiment)

    def built(phase: Phase, trainer: Trainer) -> None:
        trainer.open_training_data()
        trainer.train(tf.constant(2))
        for background in (True, False):
            stall, between = measure(trainer, background, args.saves, args.interval)
            kind = 'background' if background else 'foreground'
            print(
                f'{kind}: training stands still for {1000 * stall:.2f} ms every {between:.2f} s: '
                f'{stall / between:.2%}'
            )

    runtime = Runtime(
        make_strategy('one_device'), RunFolder('unused'), mode='describe', built=built
    )
    experiment(runtime)


if __name__ == '__main__':
    main()
