"""A parser of flags whose refusals are users' mistakes, told in one line."""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from garden.core.errors import UserError, did_you_mean


class Parser(argparse.ArgumentParser):
    """Names the nearest flag when it refuses one."""

    def error(self, message: str) -> NoReturn:
        """Raises the refusal as a UserError."""
        raise UserError(f'{message}. --help lists the flags.')

    def parse_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: Any = None
    ) -> argparse.Namespace:
        """Parses the flags; see argparse."""
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flag = unknown[0].split('=')[0]
            if not flag.startswith('-'):
                raise UserError(f'{flag!r} is no flag; flags begin with --.')
            flags = [text for action in self._actions for text in action.option_strings]
            raise UserError(f'There is no flag {flag}.{did_you_mean(flag, flags)}')
        return known
