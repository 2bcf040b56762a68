"""A small run, launched from Python, to load."""

import pytest

import garden

SMALL = (
    'train_steps = 4',
    'garden.phase.steps_per_loop = 2',
    'garden.phase.eval_interval = 2',
    "garden.phase.best_metric = 'loss'",
    "garden.phase.best_mode = 'max'",
    'schedules.cosine.warmup_steps = 1',
    'models.regnety.depth = 1',
    'dataloaders.image_classification.image_size = 16',
    'tasks.image_classification.average_decay = 0.5',
    'tasks.image_classification.precise_batches = 2',
)


@pytest.fixture(scope='session')
def launched(tmp_path_factory):
    """What launching it returned; its best checkpoint is not its last."""
    folder = tmp_path_factory.mktemp('runs') / 'small'
    return garden.launch('regnety_mini', SMALL, folder, strategy='one_device')
