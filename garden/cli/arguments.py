"""A parser of flags whose refusals are users' mistakes, told in one line."""

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from garden.core.errors import UserError, did_you_mean


def of_command(name: str, description: str | None, epilog: str | None = None) -> 'Parser':
    """Returns the parser of `garden NAME`, which has the flag that all commands have."""
    parser = Parser(
        prog=f'{sys.argv[0].rpartition("/")[2]} {name}',
        description=description,
        epilog=epilog,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter if epilog else argparse.HelpFormatter,
    )
    parser.add_argument('--debug', action='store_true', help='show tracebacks and warnings')
    return parser


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
