"""The configuration reference: all that gin files may bind, from signatures and docstrings.

`pages()` is what the documentation's site shows.
"""

import dataclasses
import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import docstring_parser
import gin

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from garden.core import catalog  # noqa: E402 (the checkout's, whatever is installed)
from garden.core.catalog import Entry  # noqa: E402

# What stands above the names of a kind; of one that is missing here, its own name.
_HEADINGS = {
    'garden': ('The run', 'What every experiment binds: its phases, its seed, their schedules.'),
    'tasks': ('Tasks', 'A task is one research system: its data, networks, steps and metrics.'),
    'models': ('Models', 'Networks.'),
    'dataloaders': ('Data loaders', 'They make batches of what a source reads.'),
    'sources': ('Sources', 'They read examples from where they are stored.'),
    'augmentations': ('Augmentations', 'Functions of an example and a seed.'),
    'losses': ('Losses', 'What is minimised.'),
    'optimizers': ('Optimizers', 'How weights follow a gradient.'),
    'schedules': ('Schedules', 'Numbers that change with the step, learning rates above all.'),
    'evaluators': ('Evaluators', 'Metrics that are computed on the host.'),
    'converters': ('Converters', 'Tables of names of published weights, for `garden convert`.'),
    'preparers': ('Preparers', 'Kinds of data sets that `garden prepare` knows.'),
    'pages': ('Pages', 'What `garden report` makes of a folder.'),
    'engines': ('Engines of sweeps', 'Libraries that `garden sweep` searches with.'),
    'samplers': ('Samplers of sweeps', 'They choose the settings of a trial.'),
    'pruners': ('Pruners of sweeps', 'They end trials that promise little.'),
    'oracles': ('Oracles of sweeps', 'What KerasTuner has for samplers and pruners.'),
}
_SEE = re.compile(r'see (?:`([\w.]+)`|the base class)(?=[.;])')


@dataclasses.dataclass(frozen=True)
class Setting:
    """One parameter that gin files may bind.

    Attributes:
      name: its name.
      type: its annotation as source text, '' without one.
      default: the repr of its default, or None where a value has to be given.
      description: what the docstring says of it, '' where it says nothing.
    """

    name: str
    type: str
    default: str | None
    description: str


def kinds() -> list[str]:
    """Returns the kinds of which Garden registers something, 'garden' first."""
    known = {e.kind for e in catalog.scan().values() if e.module.startswith('garden.')}
    order = ['garden', *catalog.KINDS]
    return [kind for kind in order if kind in known] + sorted(known - {*order})


def entries(kind: str) -> list[Entry]:
    """Returns what Garden itself registers of a kind, by name."""
    found = [e for e in catalog.scan().values() if e.kind == kind]
    return sorted((e for e in found if e.module.startswith('garden.')), key=lambda e: e.name)


def settings(entry: Entry) -> list[Setting]:
    """Returns the parameters of what is registered, in the order of the signature."""
    definition = _definition(entry)
    annotations = {p.name: p.annotation or '' for p in entry.parameters or ()}
    return [
        Setting(name, annotations.get(name, ''), _default(parameter), _text(definition, name))
        for name, parameter in inspect.signature(definition).parameters.items()
        if name not in entry.hidden
    ]


def page(kind: str) -> str:
    """Returns the page of a kind in MyST Markdown."""
    title, about = _HEADINGS.get(kind, (kind.capitalize(), ''))
    parts = [f'# {title}\n', f'{about}\n']
    for entry in entries(kind):
        parts += [f'## {entry.kind}.{entry.name}\n', f'{_summary(entry)}\n', f'{_source(entry)}\n']
        parts += [_shown(entry, setting) for setting in settings(entry)]
    return '\n'.join(parts)


def pages() -> dict[str, str]:
    """Returns the text of each page, by kind."""
    return {kind: page(kind) for kind in kinds()}


def _definition(entry: Entry) -> Any:
    return getattr(importlib.import_module(entry.module), entry.definition)


def _text(definition: Any, parameter: str) -> str:
    """Returns what docstrings say of a parameter: a base class's where its own is silent.

    'see `X`' and 'see the base class' are replaced by what is said there of the same parameter, for
    a reader has no source at hand.
    """
    owners = definition.__mro__ if inspect.isclass(definition) else (definition,)
    for owner, *bases in (owners[i:] for i in range(len(owners))):
        own = _own_text(owner, parameter)
        seen = _SEE.match(own)
        if seen:
            there = [_named(owner, seen[1])] if seen[1] else bases
            found = next(filter(None, (_text(place, parameter) for place in there)), '')
            return own.replace(seen[0], found.removesuffix('.'), 1)
        if own:
            return own
    return ''


def _own_text(owner: Any, parameter: str) -> str:
    constructor = vars(owner).get('__init__') if inspect.isclass(owner) else None
    for documented in filter(None, (owner, constructor)):
        for one in _parsed(documented).params:
            if one.arg_name == parameter:
                return ' '.join((one.description or '').split())
    return ''


def _parsed(documented: Any) -> docstring_parser.Docstring:
    style = docstring_parser.DocstringStyle.GOOGLE
    return docstring_parser.parse(documented.__doc__ or '', style)


def _named(beside: Any, name: str) -> Any:
    """Returns the class or function that the docstring of another calls `name`."""
    found: Any = sys.modules[beside.__module__]
    for part in name.split('.'):
        found = getattr(found, part)
    return found


def _default(parameter: inspect.Parameter) -> str | None:
    value = parameter.default
    if value is parameter.empty or value is gin.REQUIRED:
        return None
    return getattr(value, '__name__', None) or repr(value)


def _summary(entry: Entry) -> str:
    return (_parsed(_definition(entry)).description or '').strip()


def _source(entry: Entry) -> str:
    path = entry.path.relative_to(ROOT).as_posix()
    return f'Defined in [`{path}`](../../{path}).'


def _shown(entry: Entry, setting: Setting) -> str:
    lines = [f'```{{confval}} {entry.kind}.{entry.name}.{setting.name}']
    if setting.type:
        lines.append(f':type: `{setting.type}`')
    lines.append(f':default: {"required" if setting.default is None else f"`{setting.default}`"}')
    return '\n'.join([*lines, '', setting.description, '```', ''])
