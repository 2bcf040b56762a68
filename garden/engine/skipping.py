"""Opens input pipelines without the bad examples that are known, and finds those that are not."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from garden.core.bad_examples import FAILURES, BadExample, Readers
from garden.engine.failures import RunAgain


class Skipper:
    """Keeps the bad examples of a phase.

    Args:
      known: those met before.
      keep: writes new ones where the next start finds them.
      alone: False where other processes take the same steps: this one cannot take back a step by
        itself, so that all have to start again.
    """

    def __init__(
        self,
        known: Sequence[BadExample] = (),
        keep: Callable[[Sequence[BadExample]], None] = lambda bad: None,
        alone: bool = True,
    ):
        self._known = list(known)
        self._keep = keep
        self._alone = alone
        self.tell: Callable[[Sequence[BadExample]], None] = lambda bad: None

    def open(
        self, make: Callable[[Readers], tf.data.Dataset], number: int, step: int
    ) -> tuple[tf.data.Dataset, Readers]:
        """Makes an input pipeline that begins with the batch `number`, and returns its readers."""
        while True:
            readers = Readers(self._known, step)
            try:
                return make(readers), readers
            except FAILURES as error:  # Some data are read at once, to be cached.
                self.skip(error, readers, number, step)

    def skip(self, error: Exception, readers: Readers, number: int, step: int) -> None:
        """Makes the pipelines opened from now on leave out the examples that caused an error.

        Args:
          error: what the pipeline failed with.
          readers: the pipeline's.
          number: of the batch that was to be read, see `Readers.find`.
          step: the training step.

        Raises:
          UserError: if there are more bad examples than there may be.
          RunAgain: if all processes have to start again.
          Exception: the error itself, if no example caused it.
        """
        bad = readers.find(number, step)
        if not bad:
            raise error
        self._keep(bad)
        self._known += bad
        self.tell(bad)
        if not self._alone:
            raise RunAgain(f'A bad example was met ({bad[0]}); all workers have to leave it out.')
