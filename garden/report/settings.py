"""The configuration of a run as a table of settings, from its config.gin; nothing is imported."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from garden.core.errors import UserError
from garden.engine import config_reader
from garden.engine.config_reader import Binding, Macro, Reference
from garden.engine.config_text import formatted

_EXPERIMENT, _PHASE = 'garden.experiment', 'garden.phase'
_DEPTH = 20  # Macros that stand for macros, at most.


@dataclasses.dataclass(frozen=True)
class PhaseSettings:
    """What a configuration says of a phase.

    Attributes:
      name: the phase's name.
      train_steps: the steps to train; None if the configuration does not tell.
      targets: its targets as text.
      best_metric: the metric of its best checkpoint, if it keeps one.
      best_mode: 'max' or 'min'.
    """

    name: str
    train_steps: int | None = None
    targets: Sequence[str] = ()
    best_metric: str | None = None
    best_mode: str = 'max'


class Settings:
    """The bindings of a resolved configuration.

    Args:
      text: of config.gin; '' where there is none.
    """

    def __init__(self, text: str):
        self.text = text
        self.problem = ''
        self._bindings: dict[str, Binding] = {}
        try:
            self._bindings = {b.key: b for b in config_reader.parse(text, 'config.gin')}
        except UserError as error:
            self.problem = str(error)

    @property
    def values(self) -> Mapping[str, str]:
        """What each setting is bound to, as gin writes it."""
        return {key: formatted(binding.value) for key, binding in self._bindings.items()}

    @property
    def phases(self) -> list[PhaseSettings]:
        """The phases that the experiment lists, as far as they are plain `garden.phase`s."""
        listed = self._bound('', _EXPERIMENT, 'phases')
        if not isinstance(listed, list | tuple):
            return []
        return [
            self._phase(phase.scope)
            for phase in listed
            if isinstance(phase, Reference) and phase.name == _PHASE
        ]

    def _phase(self, scope: str) -> PhaseSettings:
        given = {
            field.name: self._bound(scope, _PHASE, field.name)
            for field in dataclasses.fields(PhaseSettings)
        }
        told = {name: value for name, value in given.items() if value is not None}
        return PhaseSettings(**{'name': 'main', **told})

    def _bound(self, scope: str, name: str, parameter: str) -> Any:
        """Returns the value in a scope or in the nearest one around it, macros replaced."""
        for around in _outwards(scope):
            key = f'{around}/{name}.{parameter}' if around else f'{name}.{parameter}'
            if key in self._bindings:
                return self._expanded(self._bindings[key].value)
        return None

    def _expanded(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, Macro):
            bound = self._bindings.get(value.name)
            known = bound is not None and depth < _DEPTH
            return self._expanded(bound.value, depth + 1) if bound and known else None
        if isinstance(value, list | tuple):
            return [self._expanded(item, depth) for item in value]
        return value


def _outwards(scope: str) -> Iterator[str]:
    parts = scope.split('/') if scope else []
    for depth in range(len(parts), -1, -1):
        yield '/'.join(parts[:depth])
