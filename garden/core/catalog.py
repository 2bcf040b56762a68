"""What is registered where, read from source text: no module is imported, TensorFlow least of all.

The scan finds every `@register('<kind>', '<name>')` in Garden and in each package that declares an
entry point of the group `garden.systems`, with its parameters. It makes a name in a gin file enough
(its module is imported when it is used), and lets a misspelt one be told from a missing import.
"""

import ast
import dataclasses
import functools
import importlib.metadata
import importlib.util
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from garden.core import signatures
from garden.core.errors import UserError
from garden.core.signatures import Parameter

KINDS = (
    'tasks',
    'models',
    'dataloaders',
    'augmentations',
    'sources',
    'losses',
    'optimizers',
    'schedules',
    'evaluators',
    'converters',
    'preparers',
    'pages',
    'engines',
    'samplers',
    'pruners',
    'oracles',
)
ENTRY_POINT_GROUP = 'garden.systems'

# The decorators of a definition at module level, up to its own name.
_DECORATED = re.compile(
    r'^@(?:\w+\.)*(?:register|configurable)\b(?:.*\n)+?(?:class|def)\s+(?P<name>\w+)', re.MULTILINE
)


@dataclasses.dataclass(frozen=True)
class Entry:
    """One registered class or function.

    Attributes:
      kind: one of `KINDS`; for what is registered with gin alone, the gin module, e.g. 'garden'.
      name: the registered name.
      module: the Python module to import for it.
      path: the file of that module.
      line: the line of the first decorator, from 1.
      definition: the Python name of the class or function.
      hidden: parameters that gin may not bind.
    """

    kind: str
    name: str
    module: str
    path: Path
    line: int
    definition: str
    hidden: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it is registered, as file:line."""
        return f'{self.path}:{self.line}'

    @functools.cached_property
    def summary(self) -> str:
        """The first line of the docstring, or ''."""
        return signatures.summary(self.path, self.definition)

    @functools.cached_property
    def parameters(self) -> tuple[Parameter, ...] | None:
        """The parameters that gin may bind, or None where the source text alone cannot tell."""
        found = signatures.parameters(self.module, self.definition, _modules())
        return found and tuple(p for p in found if p.name not in self.hidden)


@functools.cache
def scan() -> Mapping[str, Entry]:
    """Returns everything that is registered, by '<kind>.<name>'.

    Raises:
      UserError: if one name is registered twice, naming both places, or if an entry point names a
        module that is not there.
    """
    found: dict[str, Entry] = {}
    for module, path in _modules().items():
        for entry in _entries(module, path):
            key = f'{entry.kind}.{entry.name}'
            if key in found:
                raise UserError(
                    f'{key} is registered twice: at {found[key].place} and at {entry.place}. '
                    'Rename one of them.'
                )
            found[key] = entry
    return found


def covers(module: str) -> bool:
    """Tells whether the scan has read this module, so that it needs no import to be known."""
    return module in _modules()


def locate(module: str) -> Path | None:
    """Returns the file of a module or the `__init__.py` of a package, without importing anything.

    A package without `__init__.py` is given by its folder.
    """
    top, *rest = module.split('.')
    spec = importlib.util.find_spec(top)
    if spec is None:
        return None
    if not rest and spec.origin:
        return Path(spec.origin)
    for folder in spec.submodule_search_locations or ():
        stem = Path(folder, *rest)
        for file in (stem / '__init__.py', stem.with_name(f'{stem.name}.py'), stem):
            if file.exists():
                return file
    return None


@functools.cache
def _modules() -> Mapping[str, Path]:
    """Returns the file of every module to scan."""
    found = dict(_modules_of('garden', Path(__file__).parents[1] / '__init__.py'))
    for point in importlib.metadata.entry_points(group=ENTRY_POINT_GROUP):
        path = locate(point.module)
        if path is None:
            raise UserError(
                f"The entry point '{point.name} = {point.value}' of the group {ENTRY_POINT_GROUP} "
                'names a module that is not installed: install its package anew, or remove it.'
            )
        found.update(_modules_of(point.module, path))
    return found


def _modules_of(module: str, path: Path) -> Iterator[tuple[str, Path]]:
    if path.suffix == '.py' and path.name != '__init__.py':
        yield module, path
        return
    folder = path if path.is_dir() else path.parent
    for file in sorted(folder.rglob('*.py')):
        parts = file.relative_to(folder).with_suffix('').parts
        if parts[-1] == '__init__':
            parts = parts[:-1]
        yield '.'.join((module, *parts)), file


def _entries(module: str, path: Path) -> Iterator[Entry]:
    """Finds the registrations of one file.

    Only decorators are parsed here, definitions when they are asked about: a hundred files take a
    few milliseconds, and a file that is broken elsewhere does not hide the others.
    """
    text = path.read_text(encoding='utf-8', errors='replace')
    for match in _DECORATED.finditer(text):
        in_docstring = text.count('"""', 0, match.start()) % 2
        if in_docstring and not signatures.defines(path, match['name']):
            continue
        try:
            definition = ast.parse(_empty(match)).body[0]
        except SyntaxError:
            continue
        line = text.count('\n', 0, match.start()) + 1
        for decorator in definition.decorator_list:  # type: ignore[attr-defined]
            named = _garden_name(decorator) or _gin_name(decorator, module, match['name'])
            if named:
                kind, name, hidden = named
                yield Entry(kind, name, module, path, line, match['name'], hidden)


def _empty(match: re.Match[str]) -> str:
    """Returns the decorated definition with nothing in it."""
    start = match.start('name') - match.start()
    decorators = match.group()[:start].rsplit('\n', 1)[0]
    return f'{decorators}\ndef _(): pass'


def _garden_name(decorator: ast.expr) -> tuple[str, str, tuple[str, ...]] | None:
    """Reads `@register('<kind>', '<name>')`, also as an attribute of a module."""
    if not isinstance(decorator, ast.Call) or _last(decorator.func) != 'register':
        return None
    given = [*decorator.args, *(k.value for k in decorator.keywords if k.arg in ('kind', 'name'))]
    texts = [v.value for v in given if isinstance(v, ast.Constant) and isinstance(v.value, str)]
    if len(texts) == len(given) == 2 and texts[0] in KINDS:
        return texts[0], texts[1], ()
    return None


def _gin_name(
    decorator: ast.expr, module: str, definition: str
) -> tuple[str, str, tuple[str, ...]] | None:
    """Reads `@gin.register` and `@gin.configurable`, with or without arguments."""
    func = decorator.func if isinstance(decorator, ast.Call) else decorator
    if ast.unparse(func) not in ('gin.register', 'gin.configurable'):
        return None
    given: dict[str, object] = {}
    if isinstance(decorator, ast.Call):
        try:
            given = {k.arg or '': ast.literal_eval(k.value) for k in decorator.keywords}
            if decorator.args:
                given['name_or_fn'] = ast.literal_eval(decorator.args[0])
        except ValueError:
            return None  # Not literal: only an import can tell.
    hidden = given.get('denylist') or ()
    kind, name = given.get('module', module), given.get('name_or_fn', definition)
    return str(kind), str(name), tuple(hidden)  # type: ignore[arg-type]


def _last(func: ast.expr) -> str:
    if isinstance(func, ast.Attribute):
        return func.attr
    return func.id if isinstance(func, ast.Name) else ''
