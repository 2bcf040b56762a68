"""The one error type whose message is meant for a user's eyes."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend: one line that says what, where, and what to do.

    The launcher prints the message without a traceback and leaves with status 2.
    """


def did_you_mean(word: str, known: Iterable[str], count: int = 3) -> str:
    """Returns ' Did you mean a, b?' for the nearest `known` words, or '' when none is near."""
    near = difflib.get_close_matches(word, sorted(known), n=count, cutoff=0.6)
    return f' Did you mean {", ".join(near)}?' if near else ''
