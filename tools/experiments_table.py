"""Writes the README's table of experiments from the headers of the gin files.

Run it after an experiment was added or its header changed: `python tools/experiments_table.py`.
"""

import sys
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from garden.engine import experiments  # noqa: E402 (the checkout's, whatever is installed)

START = '<!-- experiments: written by tools/experiments_table.py -->\n'
END = '<!-- end of experiments -->'


def table() -> str:
    """Returns one Markdown table for each family of the experiments in this checkout."""
    own = [e for e in experiments.catalogue() if e.path.is_relative_to(ROOT)]
    families = groupby(own, key=lambda experiment: experiment.family)
    return '\n'.join(_family(name, list(group)) for name, group in families)


def updated(readme: str) -> str:
    """Returns the text of the README with the table as it should be."""
    before, rest = readme.split(START)
    after = rest.split(END)[1]
    return f'{before}{START}\n{table()}\n{END}{after}'


def _family(name: str, listed: list[experiments.Experiment]) -> str:
    rows = [
        f'### {name.capitalize()}',
        '',
        '| Experiment | What it is | Expected | Hardware | Offline |',
        '|---|---|---|---|---|',
    ]
    rows += [_row(experiment) for experiment in listed]
    return '\n'.join(rows) + '\n'


def _row(experiment: experiments.Experiment) -> str:
    fields = experiment.header.fields
    link = f'[`{experiment.name}`]({experiment.path.relative_to(ROOT).as_posix()})'
    cells = (
        link,
        experiment.header.summary,
        fields.get('Expected', ''),
        fields.get('Hardware', ''),
        'yes' if experiment.header.offline else 'no',
    )
    return '| ' + ' | '.join(cell.replace('|', '\\|') for cell in cells) + ' |'


if __name__ == '__main__':
    path = ROOT / 'README.md'
    path.write_text(updated(path.read_text()))
