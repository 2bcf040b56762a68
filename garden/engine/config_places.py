"""Where the settings that a message speaks of come from."""

import re
from collections.abc import Sequence

from garden.engine.config_check import Bindings
from garden.engine.config_reader import Macro


def calls_in(error: BaseException) -> list[tuple[str, str]]:
    """Returns (name, scope) of each configurable that gin was calling, innermost first.

    Gin adds a line for each to the message of an error that passes through it.
    """
    return re.findall(
        r"\n  In call to configurable '([^']*)' .*?(?: in scope '([^']*)')?$",
        str(error),
        re.MULTILINE,
    )


def places(message: str, calls: Sequence[tuple[str, str]], bindings: Bindings) -> str:
    """Returns ' (PARAMETER comes from PLACE)' for each bound parameter that a message names.

    Args:
      message: one line about a mistake.
      calls: what gin was calling; see `calls_in`. Where only the experiment was, as in training,
        a parameter of any name counts that has several words: 'seed' may be meant as a plain word.
      bindings: of the configuration.
    """
    inner = calls[:-1]
    words = set(re.findall(r'\w+', message))
    found: dict[str, None] = {}
    for binding in bindings.values():
        name, parameter = binding.name, binding.parameter
        called = any(f'.{name}'.endswith(f'.{call}') for call, _ in inner)
        if parameter not in words or not (called if inner else '_' in parameter):
            continue
        while isinstance(binding.value, Macro) and binding.value.name in bindings:
            binding = bindings[binding.value.name]
        found[f'{parameter} comes from {binding.where}'] = None
    return f' ({"; ".join(found)})' if found else ''
