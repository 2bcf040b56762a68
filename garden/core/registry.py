"""Names for tasks, models, data loaders, optimizers: one table in Python, the same names in gin.

`register` leaves the class or function as it is, so that code which constructs it directly never
picks up a gin binding; gin keeps an injecting twin under `<kind>.<name>`.
"""

import importlib
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import gin

from garden.core import catalog
from garden.core.errors import did_you_mean

_T = TypeVar('_T', bound=Callable[..., Any])

_TABLE: dict[str, dict[str, Callable[..., Any]]] = {kind: {} for kind in catalog.KINDS}


def register(kind: str, name: str) -> Callable[[_T], _T]:
    """Makes a class or function known as `<kind>.<name>`, to Python (`get`) and to gin alike.

    Args:
      kind: one of `catalog.KINDS`, e.g. 'models'.
      name: an identifier, by custom the paper's own name in snake case, e.g. 'regnety'.

    Returns:
      A decorator that returns its argument unchanged.

    Raises:
      ValueError: for an unknown kind, a name that is no identifier, or a name that is taken; the
        message of the last names both places.
      TypeError: if the signature has `*args` or `**kwargs`, which would swallow misspelt bindings.
    """
    table = _table(kind)
    if not name.isidentifier():
        raise ValueError(f"{kind}.{name}: a registered name is an identifier, as 'resnet_50' is.")

    def decorate(obj: _T) -> _T:
        for parameter in inspect.signature(obj).parameters.values():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                raise TypeError(
                    f'{kind}.{name} ({_place(obj)}) takes {parameter}: spell its parameters out, '
                    'so that a misspelt binding cannot pass unnoticed.'
                )
        known = table.get(name)
        if known is not None and _identity(known) != _identity(obj):
            raise ValueError(
                f'{kind}.{name} is registered twice: by {_place(known)} and by {_place(obj)}.'
            )
        with gin.unlock_config():  # A module may be imported after a configuration was finalised.
            if known is None:
                gin.register(name, module=kind)(obj)
            else:  # The same definition once more: a reloaded module, a notebook cell run again.
                with gin.config.interactive_mode():
                    gin.register(name, module=kind)(obj)
        table[name] = obj
        return obj

    return decorate


def get(kind: str, name: str) -> Callable[..., Any]:
    """Returns what is registered as `<kind>.<name>`, importing its module if need be.

    Raises:
      LookupError: if nothing has that name; the message suggests the nearest names.
    """
    table = _table(kind)
    if name not in table:
        entry = catalog.scan().get(f'{kind}.{name}')
        if entry is not None:
            importlib.import_module(entry.module)
    if name not in table:
        raise LookupError(
            f'No {kind}.{name} is registered.{did_you_mean(name, names(kind))} '
            f"`garden.names('{kind}')` lists all; a name from another package is known once its "
            'module has been imported, or at once if the package declares an entry point of the '
            'group garden.systems.'
        )
    return table[name]


def names(kind: str) -> list[str]:
    """Returns every name of this kind, imported or not, in alphabetical order."""
    prefix = f'{kind}.'
    listed = (name.removeprefix(prefix) for name in catalog.scan() if name.startswith(prefix))
    return sorted({*_table(kind), *listed})


def gin_name(obj: object) -> str:
    """Returns what gin calls the object that it is making: 'train/dataloaders.pictures'.

    Call it in the constructor, for the scope to be known. What is not registered goes by the name
    of its class.
    """
    known = (
        f'{kind}.{name}'
        for kind, table in _TABLE.items()
        for name, registered in table.items()
        if registered is type(obj)
    )
    return '/'.join([*gin.current_scope(), next(known, type(obj).__name__)])


def _table(kind: str) -> dict[str, Callable[..., Any]]:
    if kind not in _TABLE:
        raise ValueError(
            f'There is no kind {kind!r}.{did_you_mean(kind, _TABLE)} Kinds: {", ".join(_TABLE)}.'
        )
    return _TABLE[kind]


def _identity(obj: Callable[..., Any]) -> tuple[str, str]:
    return obj.__module__, obj.__qualname__


def _place(obj: Callable[..., Any]) -> str:
    try:
        line = inspect.getsourcelines(obj)[1]
        return f'{obj.__module__}.{obj.__qualname__} ({inspect.getsourcefile(obj)}:{line})'
    except (OSError, TypeError):  # Defined at a prompt or in compiled code.
        return f'{obj.__module__}.{obj.__qualname__}'
