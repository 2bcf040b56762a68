"""Training batches of a Garden experiment, from the JPEG files of a folder."""

import argparse

import tensorflow as tf
from turns import serve

from garden.core.feed import Feed
from garden.engine import config
from garden.engine.experiment import Phase, Runtime, experiment
from garden.engine.run_folder import RunFolder
from garden.engine.strategy import make_strategy
from garden.engine.trainer import Trainer


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--folder', required=True)
    parser.add_argument('--experiment', required=True)
    parser.add_argument('--gin', action='append', default=[])
    args = parser.parse_args()
    config.load(
        args.experiment,
        [
            'batch_size = 32',
            'dataloaders.image_classification.source = @sources.image_folder()',
            f'sources.image_folder.root = {args.folder!r}',
            'sources.image_folder.split = ""',
            'dataloaders.image_classification.prefetch = 1',
            'dataloaders.image_classification.parallel_calls = 1',
            'models.regnety.num_classes = 4',
            *args.gin,
        ],
    )

    def built(phase: Phase, trainer: Trainer) -> None:
        options = tf.data.Options()
        options.threading.private_threadpool_size = 1
        options.autotune.enabled = False
        batches = iter(trainer.task.train_data(Feed()).with_options(options))

        def work(count: int) -> None:
            for _ in range(count // 32):
                next(batches)

        work(32)
        serve(work)

    strategy = make_strategy('one_device')
    experiment(Runtime(strategy, RunFolder('unused'), mode='describe', built=built))


if __name__ == '__main__':
    main()
