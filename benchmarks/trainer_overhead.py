"""What the trainer costs: its steps against the same steps in a bare tf.function loop.

    python benchmarks/trainer_overhead.py [--experiment=regnety_mini] [--steps=50] [--rounds=7]

Both loops train the same task on the same batches, taken in turn within one process. The bare loop
is what one would write by hand: a tf.function around a tf.while_loop that draws a batch and calls
the task's training step. The trainer adds the run's bookkeeping: seeds for each step and replica,
means of the scalars, the step counter, Orbit's outer call. The figure is the ratio of the two
times; its goal is at most 1.01.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import tensorflow as tf

from garden.core.feed import Feed
from garden.engine import config
from garden.engine.experiment import Phase, Runtime, experiment
from garden.engine.run_folder import RunFolder
from garden.engine.strategy import make_strategy
from garden.engine.trainer import Trainer


def bare_loop(trainer: Trainer) -> Callable[[tf.Tensor], None]:
    """Returns a function that takes a number of steps by hand."""
    task = trainer.task
    iterator = iter(task.train_data(Feed()))
    seed = tf.zeros([2], tf.int32)

    @tf.function
    def loop(steps: tf.Tensor) -> None:
        for _ in tf.range(steps):
            task.train_step(next(iterator), seed)

    return loop


def seconds(function: Callable[[tf.Tensor], object], steps: tf.Tensor) -> tuple[float, float]:
    """Returns the wall and the processor time of a call."""
    wall, cpu = time.perf_counter(), time.process_time()
    function(steps)
    return time.perf_counter() - wall, time.process_time() - cpu


def compare(trainer: Trainer, steps: int, rounds: int) -> None:
    """Prints the ratio of the trainer's time to the bare loop's."""
    trainer.open_training_data()
    loops = {'bare': bare_loop(trainer), 'trainer': trainer.train}
    count = tf.constant(steps)
    for loop in loops.values():
        loop(tf.constant(2))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    for round_ in range(rounds):
        # The order alternates, so that neither always runs on the warmer machine.
        for name in sorted(loops, reverse=bool(round_ % 2)):
            times[name].append(seconds(loops[name], count))
    for i, kind in enumerate(('wall', 'processor')):
        ratios = [t[i] / b[i] for t, b in zip(times['trainer'], times['bare'], strict=True)]
        best = min(t[i] for t in times['trainer']) / min(b[i] for b in times['bare'])
        step = min(b[i] for b in times['bare']) / steps
        print(
            f'{kind} time: bare step {1000 * step:.2f} ms; trainer / bare: of the best rounds '
            f'{best:.3f}, median of {rounds} pairs {statistics.median(ratios):.3f}'
        )


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--experiment', default='regnety_mini')
    parser.add_argument('--steps', type=int, default=50)
    parser.add_argument('--rounds', type=int, default=7)
    args = parser.parse_args()
    config.load(args.experiment)
    strategy = make_strategy('one_device')

    def built(phase: Phase, trainer: Trainer) -> None:
        compare(trainer, args.steps, args.rounds)

    experiment(Runtime(strategy, RunFolder('unused'), mode='describe', built=built))


if __name__ == '__main__':
    main()
