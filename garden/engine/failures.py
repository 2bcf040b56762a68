"""Failures that pass: something around the run has left, and the same command goes on."""

from collections.abc import Iterator

import tensorflow as tf

from garden.engine.data_service import BEGUN_ANEW
from garden.engine.strategy import of_several_workers

_ABORTED = 'Collective ops is aborted by:'
_FORGOTTEN = 'Unknown iteration client id'  # What a dispatcher says that was started anew.
_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)


class RunAgain(Exception):
    """All processes of the run have to start again, to go on from the last checkpoint."""


def passing_failure(error: BaseException, strategy: tf.distribute.Strategy) -> str | None:
    """Returns one sentence if running the same command again mends the failure, None otherwise.

    When a worker is killed or cut off, the collective operations of the others fail. They cannot
    go on: all have to start again, from the last checkpoint. The same holds when a part of the data
    service does not know any more where it was.
    """
    several = of_several_workers(strategy)
    for one in _chain(error):
        if isinstance(one, RunAgain):
            return str(one).splitlines()[0]
        if not isinstance(one, tf.errors.OpError):
            continue
        if BEGUN_ANEW in one.message or _FORGOTTEN in one.message:
            return BEGUN_ANEW
        if several and (isinstance(one, _LOST) or _ABORTED in one.message):
            return f'Another worker has left the run ({_gist(one)}).'
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _gist(error: tf.errors.OpError) -> str:
    text = error.message.split(_ABORTED)[-1]
    return text.strip().splitlines()[0].rstrip('.:')[:200]
