"""The names that gin files may use, what each takes, and what that must be.

Known are the names that the catalog has read from source text, and those of modules that have been
imported; of the latter the real signature and the evaluated annotations are known too.
"""

import collections
import difflib
import importlib
import inspect
import sys
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import gin

from garden.core import catalog
from garden.core.errors import UserError, did_you_mean
from garden.core.signatures import Parameter

REQUIRED = gin.REQUIRED


class Names:
    """What is known at one moment; make another one after an import."""

    def __init__(self) -> None:
        self._scanned = catalog.scan()
        self._imported = dict(gin.config._REGISTRY.items())
        self._by_ending: dict[str, list[str]] = collections.defaultdict(list)
        for name in sorted({*self._scanned, *self._imported}):
            parts = name.split('.')
            for start in range(len(parts)):
                self._by_ending['.'.join(parts[start:])].append(name)

    def matching(self, name: str) -> list[str]:
        """Returns the full names that `name` may stand for: itself, or those that end in it."""
        found = self._by_ending.get(name, [])
        return [name] if name in found else found

    def suggest(self, name: str) -> str:
        """Returns ' Did you mean ...?' with known names of the same kind, or else of any."""
        return nearest(name, [end for end in self._by_ending if end.count('.') == name.count('.')])

    def parameters(self, name: str) -> Mapping[str, Parameter] | None:
        """Returns what a full name takes from gin, or None if only an import can tell."""
        if name in self._imported:
            found: Iterable[Parameter] | None = _parameters(self._imported[name])
        else:
            found = self._scanned[name].parameters
        return None if found is None else {p.name: p for p in found}

    def annotations(self, name: str) -> Mapping[str, Any]:
        """Returns the evaluated annotations of a full name, as far as they can be evaluated."""
        if name not in self._imported:
            return {}
        wrapped = self._imported[name].wrapped
        try:
            return typing.get_type_hints(wrapped.__init__ if inspect.isclass(wrapped) else wrapped)
        except (NameError, TypeError, AttributeError):
            return {}

    def makes_callable(self, name: str) -> bool:
        """Tells whether what a full name makes when it is called may be called in its turn."""
        wrapped = self._imported[name].wrapped
        return not inspect.isclass(wrapped) or '__call__' in dir(wrapped)

    def module(self, name: str) -> str | None:
        """Returns the module to import for a full name, None if it has been imported.

        Raises:
          UserError: if a module that the catalog does not know has taken the name.
        """
        entry = self._scanned.get(name)
        if entry is None or entry.module in sys.modules:
            return None
        if name in self._imported:
            raise UserError(
                f'{name} is registered twice: by {self._imported[name].wrapped.__module__} and at '
                f'{entry.place}. Rename one of them.'
            )
        return entry.module

    def origin(self, name: str) -> str:
        """Returns the module that registers a full name."""
        entry = self._scanned.get(name)
        return entry.module if entry else self._imported[name].wrapped.__module__


def nearest(name: str, known: Iterable[str]) -> str:
    """Returns ' Did you mean ...?' for a dotted name: those of the same parent come first."""
    known = list(known)
    parent, _, last = name.rpartition('.')
    siblings = {k.rpartition('.')[2]: k for k in known if k.rpartition('.')[0] == parent}
    near = [siblings[end] for end in difflib.get_close_matches(last, siblings)]
    return f' Did you mean {", ".join(near)}?' if near else did_you_mean(name, known)


def constant(name: str) -> list[Any]:
    """Returns the values of the gin constants that `%name` may stand for."""
    constants = gin.config._CONSTANTS
    return [constants[match] for match in constants.matching_selectors(name)]


def import_module(module: str, where: str) -> None:
    """Imports a module that a configuration needs.

    Raises:
      UserError: if it, or a package that it needs, is not installed. Any other error in the module
        is left as it is: its traceback is for the author of the module.
    """
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or ''
        if module != missing and not module.startswith(f'{missing}.'):
            raise UserError(
                f'{where}: {module} needs the package {missing}, which is not installed.'
            ) from error
        known = {entry.module for entry in catalog.scan().values()}
        raise UserError(f'{where}: there is no module {module}.{nearest(module, known)}') from error


def _parameters(configurable: Any) -> list[Parameter] | None:
    try:
        signature = inspect.signature(configurable.wrapped)
    except (ValueError, TypeError):
        return None
    listed = list(signature.parameters.values())
    if any(p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in listed):
        return None
    allowed, denied = configurable.allowlist, configurable.denylist or ()
    return [
        Parameter(
            p.name, p.default is not p.empty and p.default is not REQUIRED, _source(p.annotation)
        )
        for p in listed
        if p.name not in denied and (not allowed or p.name in allowed)
    ]


def _source(annotation: Any) -> str | None:
    if annotation is inspect.Parameter.empty:
        return None
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
