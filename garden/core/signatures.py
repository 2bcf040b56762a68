"""What a class or function takes, read from its source text without importing it."""

import ast
import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

# Base classes from elsewhere that bring no constructor.
_WITHOUT_CONSTRUCTOR = {'object', 'ABC', 'Generic', 'Protocol'}


@dataclasses.dataclass(frozen=True)
class Parameter:
    """One parameter of a signature.

    Attributes:
      name: its name.
      has_default: False if a value must be given; `gin.REQUIRED` is no default.
      annotation: its type annotation as source text, or None.
    """

    name: str
    has_default: bool
    annotation: str | None = None


def summary(path: Path, name: str) -> str:
    """Returns the first line of the docstring of the definition `name`, or ''."""
    try:
        node = _definition(_tree(path), name)
    except SyntaxError:
        return ''
    lines = (node and ast.get_docstring(node)) or ''
    return lines.partition('\n')[0]


def defines(path: Path, name: str) -> bool:
    """Tells whether the file defines a class or function `name` at module level."""
    try:
        return _definition(_tree(path), name) is not None
    except SyntaxError:
        return False


def parameters(module: str, name: str, files: Mapping[str, Path]) -> tuple[Parameter, ...] | None:
    """Returns what the definition `name` of a module takes.

    Args:
      module: the dotted name of the module.
      name: the class or function, defined at module level.
      files: the file of each module in which base classes may be looked up.

    Returns:
      The parameters (`self` left out), or None where the text cannot tell: a constructor inherited
      from a class outside `files`, a foreign decorator, a file that does not parse.
    """
    try:
        reader = _Reader(module, files)
        node = _definition(reader.tree, name)
        if isinstance(node, ast.ClassDef):
            return tuple(_constructor(reader, node) or ())
        if node is None or len(node.decorator_list) > 1:
            return None
        return tuple(_arguments(node.args))
    except (_UnknownError, SyntaxError):
        return None


class _UnknownError(Exception):
    """The source text cannot tell."""


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding='utf-8'))


_Definition = ast.ClassDef | ast.FunctionDef


def _definition(tree: ast.Module, name: str) -> _Definition | None:
    for node in tree.body:
        if isinstance(node, _Definition) and node.name == name:
            return node
    return None


def _arguments(args: ast.arguments) -> list[Parameter]:
    if args.vararg or args.kwarg:
        raise _UnknownError
    positional = [*args.posonlyargs, *args.args]
    padding = [None] * (len(positional) - len(args.defaults))
    defaults = [*padding, *args.defaults, *args.kw_defaults]
    return [
        Parameter(
            arg.arg,
            default is not None and ast.unparse(default) != 'gin.REQUIRED',
            ast.unparse(arg.annotation) if arg.annotation else None,
        )
        for arg, default in zip([*positional, *args.kwonlyargs], defaults, strict=True)
    ]


class _Reader:
    """One module, and where the names that it imports come from."""

    def __init__(self, module: str, files: Mapping[str, Path]):
        if module not in files:
            raise _UnknownError
        self.files = files
        self.module = module
        self.tree = _tree(files[module])

    def base(self, node: ast.expr) -> tuple['_Reader', ast.ClassDef] | None:
        """Finds a base class; None for one that brings no constructor."""
        if isinstance(node, ast.Subscript):
            node = node.value
        dotted = ast.unparse(node)
        if dotted.rsplit('.', 1)[-1] in _WITHOUT_CONSTRUCTOR:
            return None
        return self.find(dotted)

    def find(self, dotted: str) -> tuple['_Reader', ast.ClassDef]:
        node = _definition(self.tree, dotted)
        if isinstance(node, ast.ClassDef):
            return self, node
        first, _, rest = dotted.partition('.')
        target = self._imported().get(first)
        if target is None:
            raise _UnknownError
        # The import may have bound a module, or a class inside one.
        module, _, name = '.'.join(filter(None, (target, rest))).rpartition('.')
        if name == dotted and module == self.module:
            raise _UnknownError
        return _Reader(module, self.files).find(name)

    def _imported(self) -> dict[str, str]:
        """Returns what each imported name stands for, as a dotted name."""
        bound: dict[str, str] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.partition('.')[0]
                    bound[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                origin = '.'.join(filter(None, (self._package(node.level), node.module)))
                for alias in node.names:
                    bound[alias.asname or alias.name] = f'{origin}.{alias.name}'
        return bound

    def _package(self, level: int) -> str:
        """Returns the package that a relative import of this level starts from; '' for level 0."""
        if not level:
            return ''
        parts = self.module.split('.')
        up = level - (self.files[self.module].name == '__init__.py')
        return '.'.join(parts[: len(parts) - up])


def _constructor(reader: _Reader, node: ast.ClassDef) -> Sequence[Parameter] | None:
    """Returns what constructing the class takes; None if neither it nor a base says."""
    if any(_is_dataclass(d) for d in node.decorator_list):
        return _fields(reader, node)
    methods = {n.name: n for n in node.body if isinstance(n, ast.FunctionDef)}
    if '__init__' in methods:
        return _arguments(methods['__init__'].args)[1:]
    if '__new__' in methods:
        raise _UnknownError
    for base in node.bases:
        found = reader.base(base)
        inherited = found and _constructor(*found)
        if inherited is not None:
            return inherited
    return None


def _is_dataclass(decorator: ast.expr) -> bool:
    if isinstance(decorator, ast.Call):
        decorator = decorator.func
    return ast.unparse(decorator) in ('dataclass', 'dataclasses.dataclass')


def _fields(reader: _Reader, node: ast.ClassDef) -> list[Parameter]:
    """Returns the fields of a dataclass that its constructor takes, those of its bases first."""
    found: dict[str, Parameter] = {}
    for base in node.bases:
        inherited = reader.base(base)
        if inherited and any(_is_dataclass(d) for d in inherited[1].decorator_list):
            found.update((p.name, p) for p in _fields(*inherited))
    for item in node.body:
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        annotation = ast.unparse(item.annotation)
        if 'ClassVar' in annotation or annotation.endswith('KW_ONLY'):
            continue
        given = _field_arguments(item.value)
        if given.get('init') != 'False':
            has_default = item.value is not None and (
                not given or bool({'default', 'default_factory'} & set(given))
            )
            found[item.target.id] = Parameter(item.target.id, has_default, annotation)
    return list(found.values())


def _field_arguments(value: ast.expr | None) -> dict[str, str]:
    """Returns the keywords of a `dataclasses.field(...)`, or {} for any other value."""
    if isinstance(value, ast.Call) and ast.unparse(value.func).rsplit('.', 1)[-1] == 'field':
        return {'': '', **{k.arg or '': ast.unparse(k.value) for k in value.keywords}}
    return {}
