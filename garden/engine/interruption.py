"""SIGTERM and SIGINT ask a run to stop at the end of its loop, with everything saved."""

import signal
import threading
from types import FrameType
from typing import Any

EXIT_STATUS = 42


class Interrupted(Exception):
    """The run was asked to stop, has saved its state and can be continued by the same command."""


class Interruption:
    """Turns the first SIGTERM or SIGINT into a request; a second SIGINT leaves at once."""

    def __init__(self) -> None:
        self.requested = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> 'Interruption':
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._former[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *unused: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if number == signal.SIGINT and self.requested:
            raise KeyboardInterrupt
        self.requested = True
