"""Tells each mistake that gin lets pass, or refuses without a hint, in one line with its place."""

import dataclasses
import itertools
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NoReturn

from garden.core.errors import UserError, did_you_mean
from garden.engine.config_names import REQUIRED, Names, constant
from garden.engine.config_reader import Binding, Macro, Reference, Statements
from garden.engine.config_types import described, fits, likely

Bindings = Mapping[str, Binding]


def resolve(statements: Statements, names: Names) -> Bindings:
    """Returns the bindings that hold, by key: names in full, of several the last.

    Raises:
      UserError: for an unknown or ambiguous name, and for an unknown parameter.
    """
    found: dict[str, Binding] = {}
    for binding in statements.bindings:
        binding = _in_full(binding, names)
        found[binding.key] = binding
    return found


def check_macros(bindings: Bindings) -> None:
    """Refuses macros that are not defined, that need themselves, and that are still to be set."""
    for binding in bindings.values():
        for leaf in leaves(binding.value):
            if isinstance(leaf, Macro):
                _check_macro(leaf, binding, bindings, ())


def check_required(bindings: Bindings, names: Names, root: str, where: str) -> None:
    """Refuses a call from which a parameter without default would be missing.

    The calls are that of the root and, from its bindings on, of each reference with (), and of each
    without () whose parameter is annotated as a callable that is given nothing.
    """
    if names.matching(root) != [root]:
        raise UserError(f'There is no {root} to run.{names.suggest(root)}')
    _Calls(bindings, names).check(Reference('', root, True, where), scope='')


def check_types(bindings: Bindings, names: Names) -> None:
    """Refuses literals that do not fit the annotations of their parameters."""
    for binding in bindings.values():
        annotations = names.annotations(binding.name) if binding.parameter else {}
        annotation = annotations.get(binding.parameter, Any)
        value = expand(binding.value, bindings)
        if not _fits(value, annotation, names):
            _refuse_type(binding, bindings, annotation, names)


def _fits(value: Any, annotation: Any, names: Names) -> bool:
    if typing.get_origin(annotation) is Callable and isinstance(value, Reference):
        return not value.evaluated or names.makes_callable(value.name)
    return fits(value, annotation)


def _refuse_type(binding: Binding, bindings: Bindings, annotation: Any, names: Names) -> NoReturn:
    value = expand(binding.value, bindings)
    meant = likely(value, annotation)
    if isinstance(value, str) and len(names.matching(value)) == 1:
        meant = Reference('', names.matching(value)[0], True)
    hint = '' if meant is None else f' Did you mean {meant!r}?'
    source = ''
    if isinstance(binding.value, Macro):
        source = f' ({binding.value} of {bindings[binding.value.name].where})'
    raise UserError(
        f'{binding.where}: {binding.key} takes {described(annotation)}, '
        f'not {value!r}{source}.{hint}'
    )


def leaves(value: Any) -> Iterator[Any]:
    """Yields what a value consists of, containers taken apart."""
    if isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)
    elif isinstance(value, dict):
        for item in itertools.chain(value.keys(), value.values()):
            yield from leaves(item)
    else:
        yield value


def expand(value: Any, bindings: Bindings) -> Any:
    """Returns a value with each macro replaced by what it stands for; constants stay."""

    def define(leaf: Any) -> Any:
        if isinstance(leaf, Macro) and leaf.name in bindings and not constant(leaf.name):
            return expand(bindings[leaf.name].value, bindings)
        return leaf

    return _map(define, value)


def _map(function: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(_map(function, item) for item in value)
    if isinstance(value, dict):
        return {_map(function, k): _map(function, v) for k, v in value.items()}
    return function(value)


def _in_full(binding: Binding, names: Names) -> Binding:
    def full_reference(leaf: Any) -> Any:
        if isinstance(leaf, Reference):
            name = _full_name(leaf.name, f'{leaf.where}: {leaf}', names)
            return dataclasses.replace(leaf, name=name)
        return leaf

    value = _map(full_reference, binding.value)
    if not binding.parameter:
        return dataclasses.replace(binding, value=value)
    whole = names.matching(f'{binding.name}.{binding.parameter}')
    if whole and not names.matching(binding.name):
        raise UserError(
            f'{binding.where}: {whole[0]} is a name, and values are bound to parameters: write '
            f'{binding.key}.<parameter> = ...{_choice(whole[0], names)}'
        )
    name = _full_name(binding.name, f'{binding.where}: {binding.key}', names)
    parameters = names.parameters(name)
    if parameters is not None and binding.parameter not in parameters:
        near = did_you_mean(binding.parameter, parameters) or _choice(name, names)
        raise UserError(f'{binding.where}: {name} has no parameter {binding.parameter!r}.{near}')
    return dataclasses.replace(binding, name=name, value=value)


def _full_name(name: str, what: str, names: Names) -> str:
    found = names.matching(name)
    if len(found) == 1:
        return found[0]
    if found:
        raise UserError(f'{what}: {name} may be {" or ".join(found)}: write the one you mean.')
    hint = names.suggest(name) or (
        ' If it is from another package, import its module above: import <package>.<module>'
    )
    raise UserError(f'{what}: nothing is registered as {name}.{hint}')


def _choice(name: str, names: Names) -> str:
    parameters = names.parameters(name)
    return f' It takes {", ".join(parameters)}.' if parameters else ''


def _check_macro(macro: Macro, user: Binding, bindings: Bindings, chain: tuple[str, ...]) -> None:
    constants = constant(macro.name)
    if constants and constants[0] is REQUIRED:
        raise UserError(
            f'{user.where}: {user.key} is still to be set: bind it in the experiment, or give '
            f"--gin='{user.key}=...'."
        )
    if constants:
        return
    if macro.name not in bindings:
        known = [key for key, binding in bindings.items() if not binding.parameter]
        raise UserError(
            f'{macro.where}: the macro {macro} is not defined.{did_you_mean(macro.name, known)}'
        )
    if macro.name in chain:
        raise UserError(f'{macro.where}: the macro {macro} is defined by itself.')
    definition = bindings[macro.name]
    for leaf in leaves(definition.value):
        if isinstance(leaf, Macro):
            _check_macro(leaf, definition, bindings, (*chain, macro.name))


class _Calls:
    """Follows the calls that a run makes, to see whether each gets what it needs."""

    def __init__(self, bindings: Bindings, names: Names):
        self._bindings = [b for b in bindings.values() if b.parameter]
        self._expand = lambda value: expand(value, bindings)
        self._names = names
        self._seen: set[tuple[str, str | None, bool]] = set()

    def check(self, call: Reference, scope: str | None, complete: bool = True) -> None:
        """Checks one call and those that it causes.

        Args:
          call: what is called.
          scope: the gin scope it is called in; None if only the run will tell.
          complete: whether it gets its arguments from gin alone.
        """
        if (call.name, scope, complete) in self._seen:
            return
        self._seen.add((call.name, scope, complete))
        parameters = self._names.parameters(call.name)
        bound = {b.parameter: b for b in self._bindings if b.name == call.name and _holds(b, scope)}
        if complete and parameters is not None:
            missing = [p for p in parameters.values() if not p.has_default and p.name not in bound]
            if missing:
                self._refuse(call, scope, [p.name for p in missing])
        for name, binding in bound.items():
            known = parameters and parameters.get(name)
            # Called with nothing, so it must get everything from gin, like a reference with ().
            called = call.name == 'gin.singleton' or bool(
                known and 'Callable[[]' in (known.annotation or '')
            )
            for leaf in leaves(self._expand(binding.value)):
                if isinstance(leaf, Reference):
                    inherited = scope if leaf.evaluated else None
                    self.check(leaf, leaf.scope or inherited, leaf.evaluated or called)

    def _refuse(self, call: Reference, scope: str | None, missing: list[str]) -> None:
        prefix = f'{scope}/' if scope else ''
        keys = [f'{prefix}{call.name}.{name}' for name in missing]
        elsewhere = [
            b.key
            for b in self._bindings
            if b.name == call.name and b.parameter in missing and b.scope != (scope or '')
        ]
        hint = f' It is bound in another scope: {", ".join(elsewhere)}.' if elsewhere else ''
        raise UserError(
            f'{call.where}: {call} needs a value for {" and ".join(keys)}: bind it.{hint}'
        )


def _holds(binding: Binding, scope: str | None) -> bool:
    """Tells whether a binding applies in a scope: its own is the same or an outer one."""
    if scope is None:
        return True
    own = binding.scope.split('/') if binding.scope else []
    return scope.split('/')[: len(own)] == own
