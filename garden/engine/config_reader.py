"""Reads gin files into statements that know where they stand; imports and binds nothing.

The grammar is gin's own (its parser is used). Two traps of gin's `include` are closed: a file that
is included twice counts once, so that two base files may share a third, and an include below a
binding is refused, because it could overwrite it unseen.
"""

import dataclasses
import os
import re
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from gin import config_parser

from garden.core.errors import UserError, did_you_mean
from garden.engine import experiments


@dataclasses.dataclass(frozen=True)
class Reference:
    """`@scope/name` or, evaluated, `@scope/name()`; `where` is file:line."""

    scope: str
    name: str
    evaluated: bool
    where: str = dataclasses.field(default='', compare=False)

    def __repr__(self) -> str:
        scope = f'{self.scope}/' if self.scope else ''
        return f'@{scope}{self.name}{"()" if self.evaluated else ""}'


@dataclasses.dataclass(frozen=True)
class Macro:
    """`%name`, the use of a macro or of a constant."""

    name: str
    where: str = dataclasses.field(default='', compare=False)

    def __repr__(self) -> str:
        return f'%{self.name}'


@dataclasses.dataclass(frozen=True)
class Binding:
    """`scope/name.parameter = value`, or a macro's `scope/name = value`, without a parameter."""

    scope: str
    name: str
    parameter: str
    value: Any
    where: str

    @property
    def key(self) -> str:
        """The left side as gin writes it."""
        scope = f'{self.scope}/' if self.scope else ''
        return f'{scope}{self.name}{f".{self.parameter}" if self.parameter else ""}'


@dataclasses.dataclass(frozen=True)
class Import:
    """`import module`."""

    module: str
    where: str


@dataclasses.dataclass
class Statements:
    """All that some files and overrides say, in order."""

    bindings: list[Binding] = dataclasses.field(default_factory=list)
    imports: list[Import] = dataclasses.field(default_factory=list)
    files: list[Path] = dataclasses.field(default_factory=list)


def read(path: Path, overrides: Sequence[str] = ()) -> Statements:
    """Reads a file with all that it includes, and then the overrides.

    Raises:
      UserError: for a mistake of syntax, a file that is not there or an include that leads back to
        itself, with file and line, or with the override's text.
    """
    found = Statements()
    _read_file(path.resolve(), found, ())
    for text in overrides:
        _read_text(text, f"--gin '{text}'", Path.cwd(), found, ())
    return found


def parse(text: str, where: str = '') -> list[Binding]:
    """Returns the bindings of a text without includes."""
    found = Statements()
    _read_text(text, where, Path.cwd(), found, ())
    return found.bindings


def _read_file(path: Path, found: Statements, chain: tuple[Path, ...]) -> None:
    if path in found.files:
        return
    found.files.append(path)
    try:
        text = path.read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f'{experiments.shown(path)} cannot be read: {error}.') from error
    _read_text(text, path, path.parent, found, (*chain, path))


def _read_text(
    text: str, source: Path | str, folder: Path, found: Statements, chain: tuple[Path, ...]
) -> None:
    bound = False
    for statement in _statements(text, source):
        where = _where(source, statement.location.line_num)
        if isinstance(statement, config_parser.IncludeStatement):
            path = _resolve(statement.filename, folder, where)
            if path in chain:
                names = ' -> '.join(p.name for p in (*chain[chain.index(path) :], path))
                raise UserError(f'{where}: this include leads back to itself: {names}.')
            if bound:
                raise UserError(
                    f"{where}: include '{statement.filename}' stands below a binding, which it "
                    'could overwrite. Move it to the top of the file.'
                )
            _read_file(path, found, chain)
        elif isinstance(statement, config_parser.ImportStatement):
            if statement.module.startswith('__gin__'):
                raise UserError(
                    f'{where}: dynamic registration is not used here: register the class with '
                    '@register, import its module and bind it by its registered name.'
                )
            found.imports.append(Import(statement.module, where))
        elif isinstance(statement, config_parser.BindingStatement):
            bound = True
            scope, name, parameter, value, _ = statement
            found.bindings.append(Binding(scope, name, parameter, value, where))


def _where(source: Path | str, line: int) -> str:
    return source if isinstance(source, str) else f'{experiments.shown(source)}:{line}'


def _resolve(name: str, folder: Path, where: str) -> Path:
    """Finds an included file: from the roots, then from the including file's folder."""
    here = name.startswith(('./', '../'))
    folders = [folder] if here else [*experiments.roots(), folder]
    for candidate in folders:
        path = candidate / name
        if path.is_file():
            return path.resolve()
    known = [
        path.relative_to(root).as_posix() for root in folders for path in root.glob('**/*.gin')
    ]
    places = ' or '.join(experiments.shown(place) + os.sep for place in folders)
    raise UserError(
        f"{where}: include '{name}': there is no such file in {places}.{did_you_mean(name, known)}"
    )


class _Delegate(config_parser.ParserDelegate):
    """Keeps references and macros as they are written, with the line that the parser is at."""

    def __init__(self, source: Path | str):
        self.source = source
        self.line = 0

    def configurable_reference(self, scoped_configurable_name: str, evaluate: bool) -> Reference:
        scope, name = config_parser.parse_scoped_selector(scoped_configurable_name)
        return Reference(scope, name, evaluate, _where(self.source, self.line))

    def macro(self, macro_name: str) -> Macro:
        return Macro(macro_name, _where(self.source, self.line))


class _Parser(config_parser.ConfigParser):
    """Gin's parser, which tells its delegate the line of a reference, not only of its statement."""

    def parse_statement(self) -> Any:
        self._skip_whitespace_and_comments()
        self._delegate.line = self._current_token.start[0]
        return super().parse_statement()

    def _maybe_parse_configurable_reference(self) -> tuple[bool, Any]:
        self._delegate.line = self._current_token.start[0]
        return super()._maybe_parse_configurable_reference()

    def _maybe_parse_macro(self) -> tuple[bool, Any]:
        self._delegate.line = self._current_token.start[0]
        return super()._maybe_parse_macro()


def _statements(text: str, source: Path | str) -> Iterator[Any]:
    delegate = _Delegate(source)
    try:
        yield from _Parser(text, delegate)
    except tokenize.TokenError:
        where = _where(source, delegate.line)
        raise UserError(f'{where}: a bracket or a quotation mark is not closed.') from None
    except IndentationError as error:
        where = _where(source, error.lineno or 0)
        raise UserError(f'{where}: the indentation matches no line above it.') from None
    except SyntaxError as error:
        _refuse(error, source, text)
    except TypeError as error:
        raise UserError(f'{_where(source, delegate.line)}: {error} (a key of a dict).') from None


def _refuse(error: SyntaxError, source: Path | str, text: str) -> NoReturn:
    """Says in one line, in a user's words, what gin's parser stumbled over."""
    line = error.lineno or 0
    written = text.splitlines()[line - 1].strip() if 0 < line <= len(text.splitlines()) else ''
    token = re.search(r"Failed to parse token '(.*)'", str(error.msg), re.DOTALL)
    if token:
        problem = _no_value(token[1])
    elif "expected ':' or '='" in error.msg:
        problem = f"'{written}' is no binding: write name.parameter = value."
    elif error.msg == 'Unable to parse value.' and re.search(r'=\s*(#.*)?$', written):
        problem = f"'{written}' lacks its value after the '='."
    elif error.msg == 'Unable to parse value.' and re.search(r'=\s*[\'"]', written):
        problem = f"'{written}' lacks the quotation mark that ends its text."
    elif error.msg == 'Expected newline.':
        problem = f"'{written}' goes on after its value: quote text, and write one binding a line."
    else:
        problem = f"'{written}' cannot be parsed: {error.msg.splitlines()[0].rstrip('.')}."
    raise UserError(f'{_where(source, line)}: {problem}') from None


def _no_value(token: str) -> str:
    literal = {'true': 'True', 'false': 'False', 'none': 'None', 'null': 'None'}.get(token.lower())
    if literal:
        return f'{token} is no value. Did you mean {literal}?'
    if not token.isidentifier():
        return f"{token} is no value. Did you mean the text '{token}'?"
    return (
        f"{token} is no value. Did you mean the text '{token}', the registered name @{token}, "
        f'or the macro %{token}?'
    )
