"""Settings that make regnety_mini a matter of seconds."""

from regnety_mini import BEST_IS_FIRST, SHORT

SMALL = (
    *SHORT,
    *BEST_IS_FIRST,
    'models.regnety.depth = 1',
    'dataloaders.image_classification.image_size = 16',
    'tasks.image_classification.average_decay = 0.5',
    'tasks.image_classification.precise_batches = 2',
)
