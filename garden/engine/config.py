"""From the text of a command line to a gin configuration: found, checked, bound and written down.

Nothing is imported before the names, the parameters and the macros of a configuration are known to
be right, and then only the modules that it uses. What gin parses in the end is the resolved
configuration itself, the text that a run stores, so the two cannot differ.
"""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gin

from garden.core import catalog
from garden.core.errors import UserError, did_you_mean
from garden.engine import config_check, config_places, config_reader, config_text, experiments
from garden.engine.config_check import Bindings
from garden.engine.config_names import Names, import_module
from garden.engine.config_reader import Binding, Reference, Statements
from garden.engine.config_text import difference

__all__ = ['Config', 'difference', 'explain', 'load', 'set_aside']

ROOT = 'garden.experiment'


@dataclasses.dataclass(frozen=True)
class Config:
    """A configuration that gin holds.

    Attributes:
      name: the experiment's name: that of its file, or what its header's field `Name` says.
      path: the experiment's file.
      files: all files that were read, the experiment's first.
      header: what the file says of itself.
      text: the resolved configuration. It includes nothing, names everything in full, and launches
        by itself: loading it gives this text again.
    """

    name: str
    path: Path
    files: tuple[Path, ...]
    header: experiments.Header
    text: str
    _bindings: Bindings = dataclasses.field(repr=False)

    @property
    def provenance(self) -> Mapping[str, str]:
        """Where each binding comes from, as file:line or as the text of an override."""
        return {key: binding.where for key, binding in self._bindings.items()}

    def places(self, message: str, error: BaseException) -> str:
        """Returns where the settings come from that an error's message names, '' for none."""
        return config_places.places(message, config_places.calls_in(error), self._bindings)

    def get(self, key: str, default: Any = None) -> Any:
        """Returns what is bound to 'scope/name.parameter' or to a macro, or `default`.

        The name may be shortened as in gin files. Macros are replaced by their values; references
        come as `config_reader.Reference`.
        """
        scope, _, selector = key.rpartition('/')
        ending = f'.{selector}'
        inside = [b for b in self._bindings.values() if b.parameter and b.scope == scope]
        found = [b for b in inside if f'.{b.name}.{b.parameter}'.endswith(ending)]
        found = [self._bindings[key]] if key in self._bindings else found
        if len(found) > 1:
            raise ValueError(f'{key} may be {" or ".join(binding.key for binding in found)}.')
        return config_check.expand(found[0].value, self._bindings) if found else default

    def operative(self) -> str:
        """Returns the bindings that were used so far, the defaults of what was called included."""
        return gin.operative_config_str()

    def unused(self) -> list[str]:
        """Returns a line for each binding that nothing used: where, what, what may have been meant.

        Ask once all tasks are built. A binding is used if the operative configuration has its
        parameter in its scope or in an inner one.
        """
        used = {
            (parameter, name, *scope.split('/')[:depth])
            for (scope, name), bound in gin.config._OPERATIVE_CONFIG.items()
            for parameter in bound
            for depth in range(len(scope.split('/')) + 1)
        }
        found = []
        for binding in self._bindings.values():
            name, parameter, scope = binding.name, binding.parameter, binding.scope
            if not parameter:  # Gin evaluates a macro as a function, in a scope of its name.
                name, parameter, scope = 'gin.macro', 'value', binding.key
            if (parameter, name, *filter(None, scope.split('/'))) not in used:
                meant = _meant(binding)
                found.append(f'{binding.where}: {binding.key}: nothing reads this setting.{meant}')
        return found


def _meant(binding: Binding) -> str:
    """Returns ' Did you mean a, b?' of what has been read and is like `binding`, or ''."""
    read = list(gin.config._OPERATIVE_CONFIG.items())
    keys = {
        (name, parameter, f'{scope}/{name}.{parameter}'.lstrip('/'))
        for (scope, name), bound in read
        for parameter in bound
    }
    if binding.parameter:
        own = {binding.name, binding.parameter}
        shared = {key: len({name, parameter} & own) for name, parameter, key in keys}
        nearest = max(1, *shared.values())
        return did_you_mean(binding.key, [key for key in shared if shared[key] == nearest])
    parameters = sorted(key for _, parameter, key in keys if parameter == binding.key)
    if parameters:
        return f' Did you mean {", ".join(parameters[:3])}?'
    return did_you_mean(binding.key, {scope for (scope, name), _ in read if name == 'gin.macro'})


def load(experiment: str, overrides: Sequence[str] = (), root: str = ROOT) -> Config:
    """Makes gin hold the configuration of an experiment, in place of any that it held before.

    Args:
      experiment: its name, or the path of a gin file.
      overrides: bindings that come after those of the file, e.g. 'garden.phase.train_steps = 50'.
      root: the name of the function that the run calls.

    Raises:
      UserError: for any mistake in the files or overrides, with file, line and suggestion.
    """
    path = experiments.find(experiment)
    statements = config_reader.read(path, overrides)
    gin.clear_config()
    for line in statements.imports:
        if not catalog.covers(line.module):  # What it registers cannot be foreseen.
            import_module(line.module, line.where)
    used = _used(_check(statements, root, path))
    _import(statements, {root: experiments.shown(path), **used})
    # Once more, by what has really been registered, with what it really takes.
    bindings = _check(statements, root, path)
    config_check.check_types(bindings, Names())
    header = experiments.header(path)
    name = header.fields.get('Name', path.stem)
    modules = sorted({*_foreign(_used(bindings)), *(line.module for line in statements.imports)})
    text = config_text.render(name, header, modules, bindings)
    gin.parse_config(text)
    gin.finalize()
    return Config(name, path, tuple(statements.files), header, text, bindings)


@contextlib.contextmanager
def set_aside() -> Iterator[None]:
    """Gives gin back, at the end of the context, what it holds at its beginning."""
    tables: tuple[Any, ...] = (
        gin.config._CONFIG,
        gin.config._IMPORTS,
        gin.config._OPERATIVE_CONFIG,
        gin.config._SINGLETONS,
    )
    held = [table.copy() for table in tables]
    locked = gin.config_is_locked()
    try:
        yield
    finally:
        for table, content in zip(tables, held, strict=True):
            table.clear()
            table.update(content)
        gin.config._set_config_is_locked(locked)


def explain(error: BaseException) -> str:
    """Returns one line for an error, what gin has added to its message put into words.

    Gin adds a line for each configurable that was being called, innermost first, and replaces the
    error by a proxy whose only faithful part is its text.
    """
    cause, *_ = str(error).strip().splitlines() or ['']
    calls = config_places.calls_in(error)
    if not isinstance(error, UserError):
        cause = f'{type(error).__name__}: {cause}' if cause else type(error).__name__
    path = ', '.join(f'{scope}/{name}' if scope else name for name, scope in calls)
    return f'{cause} (while making {path})' if path else cause


def _check(statements: Statements, root: str, path: Path) -> Bindings:
    names = Names()
    bindings = config_check.resolve(statements, names)
    config_check.check_macros(bindings)
    config_check.check_required(bindings, names, root, experiments.shown(path))
    return bindings


def _import(statements: Statements, used: Mapping[str, str]) -> None:
    """Imports what is asked for, and what registers the names that are used."""
    for line in statements.imports:
        import_module(line.module, line.where)
    names = Names()
    for name, where in used.items():
        module = names.module(name)
        if module:
            import_module(module, where)


def _used(bindings: Bindings) -> dict[str, str]:
    """Returns where each name that the bindings use is used first."""
    found: dict[str, str] = {}
    for binding in bindings.values():
        if binding.parameter:
            found.setdefault(binding.name, binding.where)
        for leaf in config_check.leaves(binding.value):
            if isinstance(leaf, Reference):
                found.setdefault(leaf.name, leaf.where)
    return found


def _foreign(used: Iterable[str]) -> set[str]:
    """Returns the modules of other packages that the names come from."""
    names = Names()
    modules = {names.origin(name) for name in used}
    return {m for m in modules if m.split('.')[0] not in ('garden', 'gin', '__main__')}
