"""Whether a value written in a gin file is of the type that a parameter's annotation asks for."""

import ast
import collections.abc
import enum
import inspect
import os
import re
import types
import typing
from collections.abc import Iterator
from typing import Any

from garden.engine.config_reader import Macro, Reference

_SCALARS = (bool, int, float, complex, str, bytes)
_MAPPINGS = (dict, collections.abc.Mapping, collections.abc.MutableMapping)


def fits(value: Any, annotation: Any) -> bool:
    """Tells whether `value` may be bound where `annotation` stands; True where nobody can tell.

    An int is a float, a list is a tuple and a string is a path, as gin files are written. A
    reference without () gives a callable; what one with () gives is not known before it is called.
    """
    if isinstance(value, Macro):  # A constant, whose value is not written in any file.
        return True
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return fits(value, arguments[0])
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, member) for member in arguments)
    if origin is typing.Literal:
        literal = not isinstance(value, Reference)
        return not literal or any(value == a and type(value) is type(a) for a in arguments)
    if isinstance(annotation, typing.NewType):
        return fits(value, annotation.__supertype__)
    kind = type(None) if annotation is None else origin or annotation
    if kind is Any or not isinstance(kind, type):
        return True
    if isinstance(value, Reference):
        return value.evaluated or _takes_callables(kind)
    return _literal_fits(value, kind, arguments)


def _literal_fits(value: Any, kind: type, arguments: tuple[Any, ...]) -> bool:
    if kind in _SCALARS:
        return _scalar_fits(value, kind)
    if isinstance(value, list | tuple):
        return _sequence_fits(value, kind, arguments)
    if kind in _MAPPINGS and isinstance(value, dict):
        key, item = arguments or (Any, Any)
        return all(fits(k, key) and fits(v, item) for k, v in value.items())
    if issubclass(kind, enum.Enum):
        return value in [member.value for member in kind]
    if isinstance(value, str) and issubclass(kind, collections.abc.Iterable):
        return False  # A string is a sequence of strings by accident only.
    if isinstance(value, str) and issubclass(kind, os.PathLike):
        return True
    return _is_instance(value, kind)


def _scalar_fits(value: Any, kind: type) -> bool:
    if isinstance(value, bool):
        return kind is bool
    if kind is float:
        return isinstance(value, int | float)
    if kind is complex:
        return isinstance(value, int | float | complex)
    return isinstance(value, kind)


def _sequence_fits(value: Any, kind: type, arguments: tuple[Any, ...]) -> bool:
    if not (_is_instance([], kind) or _is_instance((), kind) or _is_instance(frozenset(), kind)):
        return False
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        return len(value) == len(arguments) and all(map(fits, value, arguments))
    return not arguments or all(fits(item, arguments[0]) for item in value)


def _is_instance(value: Any, kind: type) -> bool:
    try:
        return isinstance(value, kind)
    except TypeError:  # A protocol; a literal has no method that one would ask for by calling it.
        return '__call__' not in vars(kind)


def _takes_callables(kind: type) -> bool:
    if kind in _SCALARS or kind is types.NoneType:
        return False
    is_protocol = getattr(kind, '_is_protocol', False)
    return is_protocol or issubclass(kind, type) or _is_instance(_takes_callables, kind)


def likely(value: Any, annotation: Any) -> Any | None:
    """Returns what was probably meant by a value that does not fit, or None."""
    for candidate in _candidates(value):
        if candidate is not None and fits(candidate, annotation):
            return candidate
    return None


def _candidates(value: Any) -> Iterator[Any]:
    if isinstance(value, Reference):
        yield Reference(value.scope, value.name, not value.evaluated)
    elif isinstance(value, str):
        try:
            yield ast.literal_eval(value)
        except (ValueError, SyntaxError):
            yield {'true': True, 'false': False}.get(value.lower())
    elif isinstance(value, float) and value.is_integer():
        yield int(value)
    elif value in (0, 1):
        yield bool(value)
    if value is not None:
        yield from ((value,), str(value))


def described(annotation: Any) -> str:
    """Returns an annotation as source text, without the modules of its names."""
    return re.sub(r'\b(?:\w+\.)+(?=\w)', '', inspect.formatannotation(annotation))
