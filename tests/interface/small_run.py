"""Settings that make regnety_mini a matter of seconds."""

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
