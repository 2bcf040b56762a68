"""`--list`: the experiments there are, read from the headers of their files."""

import fnmatch
import itertools
import json
import os
import sys
from collections.abc import Iterator, Sequence

from garden.core.errors import UserError, did_you_mean
from garden.engine import experiments
from garden.engine.experiments import Experiment

_OFFLINE = 'offline'


def print_list(pattern: str | None, as_json: bool) -> None:
    """Prints the experiments, grouped by family.

    Args:
      pattern: lists only those whose name, family or description contains it or, if it has one of
        the signs *, ? and [, matches it as file names do; upper and lower case are one.
      as_json: prints a JSON list of objects for programs, the fields of the headers included.

    Raises:
      UserError: if none matches and a reader, not a program, is told.
    """
    everything = experiments.catalogue()
    listed = [e for e in everything if pattern is None or _matches(e, pattern)]
    if not listed and not as_json:
        names = [word for e in everything for word in (e.name, e.family)]
        hint = did_you_mean(pattern, names) if pattern else ''
        raise UserError(f"No experiment matches '{pattern or '*'}'.{hint}")
    try:
        if as_json:
            print(json.dumps([_as_json(e) for e in listed], indent=2))
        elif sys.stdout.isatty():
            _print_table(listed)
        else:
            print('\n'.join(_plain(listed)))
        sys.stdout.flush()
    except BrokenPipeError:  # The reader, `head` for one, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _matches(experiment: Experiment, pattern: str) -> bool:
    pattern = pattern.lower()
    texts = (experiment.name, experiment.family, experiment.header.summary)
    if any(sign in pattern for sign in '*?['):
        return any(fnmatch.fnmatchcase(text.lower(), pattern) for text in texts)
    return any(pattern in text.lower() for text in texts)


def _result(experiment: Experiment) -> str:
    """Returns what the run is held to or, if nothing, what is expected of it."""
    fields = experiment.header.fields
    return fields.get('Target') or fields.get('Expected', '')


def _as_json(experiment: Experiment) -> dict[str, object]:
    fields = {name.lower(): text for name, text in experiment.header.fields.items()}
    return {
        **fields,
        'name': experiment.name,
        'family': experiment.family,
        'description': experiment.header.summary,
        'offline': experiment.header.offline,
        'path': str(experiment.path),
    }


def _families(listed: Sequence[Experiment]) -> Iterator[tuple[str, list[Experiment]]]:
    for family, members in itertools.groupby(listed, key=lambda e: e.family):
        yield family, list(members)


def _plain(listed: Sequence[Experiment]) -> Iterator[str]:
    """Yields a line for each family and each experiment, for pipes and files."""
    width = max(len(e.name) for e in listed)
    for family, members in _families(listed):
        yield family
        for e in members:
            mark = _OFFLINE if e.header.offline else ''
            texts = '  '.join(filter(None, (e.header.summary, _result(e))))
            yield f'  {e.name:{width}}  {mark:{len(_OFFLINE)}}  {texts}'.rstrip()


def _print_table(listed: Sequence[Experiment]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False)
    width = max(len(e.name) for e in listed) + 2
    table.add_column('experiment', no_wrap=True, min_width=width)
    table.add_column('runs', no_wrap=True, style='green')
    table.add_column('what it is', ratio=3)
    table.add_column('target or expected result', ratio=2)
    for family, members in _families(listed):
        table.add_row(Text(family, style='bold'))
        for e in members:
            mark = _OFFLINE if e.header.offline else ''
            table.add_row(f'  {e.name}', mark, Text(e.header.summary), Text(_result(e)))
        table.add_section()
    Console().print(table)
