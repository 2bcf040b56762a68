"""The learning curves of a run, from its metrics.jsonl."""

from collections.abc import Mapping

import numpy as np

from garden.engine.run_folder import RunFolder
from garden.engine.targets import Target
from garden.figures.curves import Curve, learning_curves

_RATES = ('steps_per_second', 'examples_per_second')


def draw(folder: RunFolder, phase: str, targets: Mapping[str, bool]) -> np.ndarray | None:
    """Draws every metric of a phase over its steps, None if the phase left no metrics.

    Args:
      folder: the run folder.
      phase: the phase's name.
      targets: targets as `Result.targets` states them; their bounds are marked.
    """
    panels: dict[str, dict[str, tuple[list[float], list[float]]]] = {}
    for row in folder.read_metrics():
        if row['phase'] != phase or row['kind'] not in ('train', 'eval'):
            continue
        for name, value in row.items():
            if name in ('phase', 'kind', 'step', *_RATES) or value is None:
                continue
            steps, values = panels.setdefault(name, {}).setdefault(row['kind'], ([], []))
            steps.append(row['step'])
            values.append(value)
    if not panels:
        return None
    bounds = {target.metric: target.bound for target in map(Target.parse, targets)}
    ordered: dict[str, Mapping[str, Curve]] = dict(
        sorted(panels.items(), key=lambda item: (-len(item[1]), item[0]))
    )
    return learning_curves(ordered, bounds)
