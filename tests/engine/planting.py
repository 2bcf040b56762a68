"""Writes `nursery`, a package outside Garden with its own systems and its own experiment.

It imports neither TensorFlow nor anything else that is slow, so what is tried on it is the
configuration and nothing else.
"""

import sys
import textwrap

import gin

from garden import registry

FILES = {
    'nursery/__init__.py': '',
    'nursery/engine.py': """
        import dataclasses
        from collections.abc import Callable, Sequence

        import gin

        @gin.register('phase', module='nursery')
        @dataclasses.dataclass
        class Phase:
            task: Callable[[], object]
            steps: int
            name: str = 'main'
            ratio: float = 0.5
            best: str | None = None
            targets: Sequence[str] = ()
            sizes: tuple[int, int] = (1, 2)
            warm_start: Sequence[tuple[str, str]] = ()

        @gin.configurable(module='nursery', denylist=['runtime'])
        def experiment(runtime, phases: Sequence[Phase] = gin.REQUIRED, seed: int = 0):
            return [phase.task() for phase in phases]
        """,
    'nursery/models.py': """
        from collections.abc import Mapping
        from typing import Any, Literal

        from garden import register

        @register('models', 'fern')
        class Fern:
            '''A fern.'''

            def __init__(
                self,
                width: int,
                activation: Literal['relu', 'swish'] = 'relu',
                weights: Mapping[str, float] | None = None,
                bias: bool = True,
                extra: Any = None,
            ):
                if width < 0:
                    raise ValueError(f'a width of {width} is negative')
                self.width, self.extra = width, extra

        @register('models', 'moss')
        def moss(width: int = 1) -> Fern:
            return Fern(width)
        """,
    'nursery/optimizers.py': """
        from garden import register

        @register('optimizers', 'grower')
        class Grower:
            def __init__(self, learning_rate: float = 0.1, decay: float = 0.0):
                self.learning_rate = learning_rate
        """,
    'nursery/data.py': """
        from garden import register

        @register('dataloaders', 'seeds')
        class Seeds:
            def __init__(self, size: int, shuffle: bool = False):
                self.size = size
        """,
    'nursery/tasks.py': """
        from garden import register

        from nursery.data import Seeds
        from nursery.models import Fern
        from nursery.optimizers import Grower

        @register('tasks', 'growing')
        class Growing:
            def __init__(self, model: Fern, optimizer: Grower, train_data: Seeds, eval_data: Seeds):
                self.model, self.optimizer = model, optimizer
                self.train_data, self.eval_data = train_data, eval_data
        """,
    'nursery/broken.py': """
        from garden import register

        raise RuntimeError('an experiment that does not use this module must not import it')

        @register('models', 'thistle')
        class Thistle:
            def __init__(self, spikes: int = 3):
                pass
        """,
    'nursery/plots/base/soil.gin': """
        nursery.experiment.phases = [@nursery.phase()]
        nursery.phase.task = @tasks.growing
        """,
    'nursery/plots/ferns/tall_fern.gin': """
        # A fern that grows tall.
        #
        # Command: python launch.py --experiment=tall_fern
        # Expected: height 2 m
        # Target: height >= 2
        # Offline: yes

        include 'base/soil.gin'

        LEARNING_RATE = 0.25

        nursery.phase.steps = 10
        tasks.growing:
          model = @models.fern()
          optimizer = @fast/optimizers.grower()
          train_data = @train/dataloaders.seeds()
          eval_data = @eval/dataloaders.seeds()
        models.fern.width = 3
        fast/grower.learning_rate = %LEARNING_RATE
        seeds.size = 4
        train/dataloaders.seeds.shuffle = True
        """,
}
METADATA = 'Metadata-Version: 2.1\nName: nursery\nVersion: 1.0\n'
ENTRY_POINTS = """\
[garden.systems]
nursery = nursery

[garden.experiments]
nursery = nursery.plots
"""


def plant(folder, entry_points=ENTRY_POINTS):
    """Writes the package and what an installer would leave beside it."""
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip())
    metadata = folder / 'nursery-1.0.dist-info'
    metadata.mkdir()
    (metadata / 'METADATA').write_text(METADATA)
    if entry_points:
        (metadata / 'entry_points.txt').write_text(entry_points)


def uproot():
    """Makes Python, gin and the registry forget that the package was imported."""

    def ours(obj):
        return obj.__module__.split('.')[0] == 'nursery'

    for name, entry in list(gin.config._REGISTRY.items()):
        if ours(entry.wrapped):
            gin.config._REGISTRY.pop(name)
    for table in registry._TABLE.values():
        for name in [name for name, obj in table.items() if ours(obj)]:
            del table[name]
    for module in [m for m in sys.modules if m.split('.')[0] == 'nursery']:
        del sys.modules[module]
