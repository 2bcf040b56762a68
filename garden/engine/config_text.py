"""The resolved configuration as text: complete, in a fixed order, and itself an experiment file."""

import math
import pprint
from collections.abc import Sequence
from typing import Any

from garden.engine import config_reader
from garden.engine.config_check import Bindings
from garden.engine.experiments import Header

_WIDTH = 100


def render(name: str, header: Header, modules: Sequence[str], bindings: Bindings) -> str:
    """Returns a gin file that says the same as `bindings` and includes nothing.

    Args:
      name: the experiment's name; the file is called otherwise, so its header says it.
      header: the experiment's header, which is kept.
      modules: what must be imported before the names are known.
      bindings: the bindings, names in full.
    """
    comments = header.text.splitlines()
    if 'Name' not in header.fields:
        comments.append(f'# Name: {name}')
    macros = sorted(key for key, binding in bindings.items() if not binding.parameter)
    others = sorted(
        (key for key, binding in bindings.items() if binding.parameter),
        key=lambda key: (bindings[key].name, bindings[key].scope, bindings[key].parameter),
    )
    blocks = (
        comments,
        [f'import {module}' for module in modules],
        [_line(key, bindings[key].value) for key in macros],
        [_line(key, bindings[key].value) for key in others],
    )
    return '\n\n'.join('\n'.join(block) for block in blocks if block) + '\n'


def difference(old: str, new: str) -> list[str]:
    """Returns what a resolved configuration changes of another one, a line for each binding."""
    before, after = (
        {binding.key: formatted(binding.value) for binding in config_reader.parse(text)}
        for text in (old, new)
    )
    return [
        f'{key}: {before.get(key, "(not set)")} -> {after.get(key, "(not set)")}'
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]


def formatted(value: Any, width: int = 10**6) -> str:
    """Returns a value as gin reads it, broken into lines within brackets only."""
    return _Printer(width=width, sort_dicts=False, compact=True).pformat(value)


def _line(key: str, value: Any) -> str:
    start = f'{key} = '
    text = formatted(value, max(_WIDTH - len(start), 40))
    return start + text.replace('\n', '\n' + ' ' * len(start))


class _Printer(pprint.PrettyPrinter):
    """Writes an infinity as a number that is read as one: gin knows no name for it."""

    def format(
        self, object: Any, context: dict[int, int], maxlevels: int, level: int
    ) -> tuple[str, bool, bool]:
        if isinstance(object, float) and math.isinf(object):
            return ('1e999' if object > 0 else '-1e999'), True, False
        return super().format(object, context, maxlevels, level)
