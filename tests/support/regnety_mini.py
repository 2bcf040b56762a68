"""The experiment regnety_mini in seconds, and its network."""

from garden import registry

DESIGN = {'depth': 4, 'w_0': 24, 'w_a': 16.0, 'w_m': 2.0, 'group_width': 8, 'stem_width': 16}
SHORT = (
    'train_steps = 4',
    'garden.phase.steps_per_loop = 2',
    'garden.phase.eval_interval = 2',
    'schedules.cosine.warmup_steps = 1',
)
# The best checkpoint of these four steps is not the last.
BEST_IS_FIRST = ("garden.phase.best_metric = 'loss'", "garden.phase.best_mode = 'max'")


def flags(*bindings):
    """Returns the flags of the launcher that shorten the experiment, and bind what else is said."""
    short = (f'--gin={binding}' for binding in (*SHORT, *bindings))
    return ['--experiment=regnety_mini', *short]


def network(**changes):
    """Returns the network of the experiment, or one that differs in some numbers."""
    return registry.get('models', 'regnety')(None, **{**DESIGN, 'num_classes': 10, **changes})
