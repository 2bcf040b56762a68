"""Finding experiment files and reading their headers, without importing anything heavy.

An experiment is a file `<family>/NAME.gin` below one of the roots: Garden's own `experiments`
folder, and the folder of each package that declares an entry point of the group
`garden.experiments`. Files below a folder named `base` are there to be included and are no
experiments.

A file begins with its header, a block of comments. It says in one sentence what the experiment is;
then come fields, and a line indented by two more spaces continues the one above it:

    # RegNetY-400MF on ImageNet-1k, the recipe of the paper.
    #
    # Command: python launch.py --experiment=regnety_400mf --data_dir=DIR
    # Expected: top1 74.1 % after 100 epochs (Radosavovic et al. 2020, table 4)
    # Hardware: eight GPUs or a TPU v3-8;
    #   about nine hours
    # Paper: Designing Network Design Spaces, arXiv:2003.13678
    # Offline: no

`REQUIRED_FIELDS` are in every file that Garden ships; an offline sibling adds `Target`, the bound
that its run is held to (`Target: top1 >= 0.97`). `Licence` says under what terms a model trained by
it may be used, for the card of an export. The configuration that a run stores adds `Name`.
"""

import dataclasses
import functools
import importlib.metadata
import itertools
import re
from collections.abc import Mapping
from pathlib import Path

import garden
from garden.core import catalog
from garden.core.errors import UserError, did_you_mean

ENTRY_POINT_GROUP = 'garden.experiments'
REQUIRED_FIELDS = ('Command', 'Expected', 'Hardware', 'Paper', 'Offline')
FIELDS = (*REQUIRED_FIELDS, 'Target', 'Licence', 'Name')

_FIELD = re.compile(rf'({"|".join(FIELDS)}):\s*(.*)')


@dataclasses.dataclass(frozen=True)
class Header:
    """What an experiment file says of itself.

    Attributes:
      summary: one sentence, '' if the file has no header.
      fields: the text of each field that is given, by the names in `FIELDS`.
      text: the comment lines as they stand.
    """

    summary: str = ''
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    text: str = ''

    @property
    def offline(self) -> bool:
        """Whether it runs without a network and without data that must be fetched first."""
        return self.fields.get('Offline', '').lower().startswith('yes')

    @property
    def tpu(self) -> bool:
        """Whether its hardware may be a TPU."""
        return re.search(r'\bTPU', self.fields.get('Hardware', '')) is not None


@dataclasses.dataclass(frozen=True)
class Experiment:
    """An experiment that `--experiment=NAME` finds."""

    name: str
    family: str
    path: Path
    header: Header


@functools.cache
def roots() -> Mapping[Path, str]:
    """Returns the folders that hold experiments, each with the family of files right in it."""
    package = Path(garden.__file__).parent
    checkout = package.parent / 'experiments'
    own = checkout if (checkout / 'base' / 'defaults.gin').is_file() else package / 'experiments'
    found = {own: 'other'}
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        path = catalog.locate(point.module)
        if path is None:
            raise UserError(
                f"The entry point '{point.name} = {point.value}' of the group {ENTRY_POINT_GROUP} "
                'names a package that is not installed: install it anew, or remove it.'
            )
        found[path if path.is_dir() else path.parent] = point.name
    return found


def catalogue() -> list[Experiment]:
    """Returns all experiments, by family and name."""
    listed = [
        Experiment(
            name=path.stem,
            family=path.parent.name if path.parent != root else family,
            path=path,
            header=header(path),
        )
        for root, family in roots().items()
        for path in _files(root)
    ]
    return sorted(listed, key=lambda experiment: (experiment.family, experiment.name))


def find(name_or_path: str) -> Path:
    """Returns the file of an experiment, given its name or the path of any gin file.

    A path starts here or, as that of an include, at a root: 'base/model_garden.gin'.

    Raises:
      UserError: if there is no such experiment, suggesting the nearest names, or more than one,
        naming the files.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix == '.gin' or len(path.parts) != 1:
        for file in (path, *(root / path for root in roots())):
            if file.is_file():
                return file.resolve()
        raise UserError(f'There is no file {name_or_path}.{_suggestion(path.stem)}')
    found = [file for root in roots() for file in _files(root) if file.stem == name_or_path]
    if not found:
        raise UserError(f"There is no experiment '{name_or_path}'.{_suggestion(name_or_path)}")
    if len(found) > 1:
        places = ' and '.join(shown(file) for file in found)
        raise UserError(
            f"'{name_or_path}' is the name of {len(found)} experiments: {places}. "
            'Rename one, or give --experiment the path of the one you mean.'
        )
    return found[0].resolve()


def header(path: Path) -> Header:
    """Reads the header of a gin file; one that has none is allowed."""
    return parse_header(path.read_text(encoding='utf-8-sig', errors='replace'))


def parse_header(text: str) -> Header:
    """Reads the header at the beginning of the text of a gin file."""
    block = re.match(r'\s*((?:#.*(?:\n|$))*)', text)
    comments = block[1] if block else ''
    lines = [line[1:].removeprefix(' ').rstrip() for line in comments.splitlines()]
    sentence = itertools.takewhile(lambda line: line and not _FIELD.match(line), lines)
    fields: dict[str, str] = {}
    current = ''
    for line in lines:
        if field := _FIELD.match(line):
            current = field[1]
            fields[current] = field[2]
        elif current and line.startswith('  '):
            fields[current] = f'{fields[current]} {line.strip()}'.strip()
        else:
            current = ''
    return Header(' '.join(sentence), fields, comments)


def shown(path: Path) -> str:
    """Returns a path as messages show it: relative if it lies below the current folder."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _files(root: Path) -> list[Path]:
    return [
        path
        for path in sorted(root.rglob('*.gin'))
        if 'base' not in path.relative_to(root).parts[:-1]
    ]


def _suggestion(name: str) -> str:
    known = {path.stem for root in roots() for path in _files(root)}
    return f'{did_you_mean(name, known)} --list shows all experiments.'
