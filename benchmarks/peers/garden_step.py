"""Training steps of a Garden experiment on one batch, through Garden's trainer or a bare loop."""

import argparse

import tensorflow as tf
from turns import serve

from garden.engine import config
from garden.engine.experiment import Phase, Runtime, experiment
from garden.engine.run_folder import RunFolder
from garden.engine.strategy import make_strategy
from garden.engine.trainer import Trainer


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--experiment', required=True)
    parser.add_argument('--gin', action='append', default=[])
    parser.add_argument('--loop', choices=('trainer', 'bare'), required=True)
    args = parser.parse_args()
    config.load(args.experiment, args.gin)
    strategy = make_strategy('one_device')

    def built(phase: Phase, trainer: Trainer) -> None:
        trainer.open_training_data()
        batch = next(iter(trainer.train_dataset))
        again = tf.data.Dataset.from_tensors(batch).repeat()
        trainer.train_dataset = strategy.experimental_distribute_dataset(again)
        iterator = iter(again)

        @tf.function
        def bare(steps: tf.Tensor) -> None:
            for _ in tf.range(steps):
                trainer.task.train_step(next(iterator), tf.zeros([2], tf.int32))

        loop = bare if args.loop == 'bare' else trainer.train
        loop(tf.constant(1))
        serve(lambda count: loop(tf.constant(count)))

    experiment(Runtime(strategy, RunFolder('unused'), mode='describe', built=built))


if __name__ == '__main__':
    main()
