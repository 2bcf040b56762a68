"""The page of a run folder, or of several side by side."""

from collections.abc import Sequence
from pathlib import Path

from garden.core.registry import register
from garden.report.page import Page


@register('pages', 'runs')
class RunPage:
    """Makes the page of runs; see `PageMaker`."""

    kind = 'run'
    sign = 'run.json or evaluation.json'

    def recognises(self, folder: Path) -> bool:
        """See `PageMaker`."""
        return any((folder / n).is_file() for n in ('run.json', 'metrics.jsonl', 'evaluation.json'))

    def page(self, folders: Sequence[Path]) -> Page:
        """See `PageMaker`."""
        from garden.report import comparison, run
        from garden.report.record import read

        records = [read(f, label) for f, label in zip(folders, _labels(folders), strict=True)]
        return run.page(records[0]) if len(records) == 1 else comparison.page(records)


def _labels(folders: Sequence[Path]) -> list[str]:
    """Returns the shortest ends of the paths that tell the folders apart."""
    paths = [folder.resolve() for folder in folders]
    for depth in range(1, max(len(path.parts) for path in paths)):
        labels = ['/'.join(path.parts[-depth:]) for path in paths]
        if len(set(labels)) == len(labels):
            break
    return labels
