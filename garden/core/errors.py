"""The one error type whose message is meant for a user's eyes."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake that the user can mend: one line that says what, where, and what to do.

    The launcher prints the message without a traceback and leaves with status 2.
    """


class StorageError(UserError):
    """Something could not be written: a full disk, a folder that is gone or read-only.

    The launcher leaves with status 74; what was written before is untouched.
    """


def did_you_mean(word: str, known: Iterable[str], count: int = 3) -> str:
    """Returns ' Did you mean a, b?' for the nearest `known` words, or '' when none is near."""
    near = difflib.get_close_matches(word, sorted(known), n=count, cutoff=0.6)
    return f' Did you mean {", ".join(near)}?' if near else ''


def user_error_in(error: BaseException | None) -> UserError | None:
    """Returns the user's mistake at the root of an error, None if there is none.

    Code that is traced for a tf.function or called by gin raises through wrappers that add lines to
    the message: the last error of the chain that has one line is what was meant.
    """
    found = None
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, UserError):
            found = error
            if '\n' not in str(error):
                break
        error = error.__cause__ or error.__context__
    return found
