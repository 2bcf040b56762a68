"""Writes docs/experiments.md from the headers of the gin files.

Run it after an experiment was added or its header changed: `python tools/experiments_table.py`.
"""

import argparse
import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from garden.engine import experiments  # noqa: E402 (the checkout's, whatever is installed)

PAGE = ROOT / 'docs' / 'experiments.md'
_HEAD = """# Experiments

Each row is a file; `python launch.py --experiment=NAME` runs it. What is offline needs no download
and ends within minutes on two CPU cores. This page is written by `tools/experiments_table.py`.

"""


def page() -> str:
    """Returns one Markdown table for each family of the experiments in this checkout."""
    own = [e for e in experiments.catalogue() if e.path.is_relative_to(ROOT)]
    families = groupby(own, key=lambda experiment: experiment.family)
    return _HEAD + '\n'.join(_family(name, list(group)) for name, group in families)


def _family(name: str, listed: list[experiments.Experiment]) -> str:
    rows = [
        f'## {name.capitalize()}',
        '',
        '| Experiment | What it is | Expected | Hardware | Offline |',
        '|---|---|---|---|---|',
    ]
    rows += [_row(experiment) for experiment in listed]
    return '\n'.join(rows) + '\n'


def _row(experiment: experiments.Experiment) -> str:
    fields = experiment.header.fields
    link = f'[`{experiment.name}`](../{experiment.path.relative_to(ROOT).as_posix()})'
    cells = (
        link,
        experiment.header.summary,
        fields.get('Expected', ''),
        fields.get('Hardware', ''),
        'yes' if experiment.header.offline else 'no',
    )
    return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |'


if __name__ == '__main__':
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    PAGE.write_text(page())
