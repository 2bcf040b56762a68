"""SIGTERM and SIGINT ask a run to stop after the step it is in, with everything saved."""

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

EXIT_STATUS = 42
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interrupted(Exception):
    """The run was asked to stop, has saved its state and can be continued by the same command."""


class Interruption:
    """While entered, the first SIGTERM or SIGINT is a request; a second SIGINT leaves at once.

    Python runs signal handlers between two steps of its own, which may be minutes away while
    TensorFlow is in a loop. A thread is told of the signal at once and passes it on.
    """

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._listeners: list[Callable[[], None]] = []

    @property
    def requested(self) -> bool:
        """Whether the run was asked to stop."""
        return self._requested.is_set()

    def request(self) -> None:
        """Asks the run to stop."""
        self._requested.set()
        for listener in self._listeners:
            listener()

    @contextlib.contextmanager
    def telling(self, listener: Callable[[], None]) -> Any:
        """Lets `listener` be called, from another thread, when the run is asked to stop."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    def __enter__(self) -> 'Interruption':
        self._undo = contextlib.ExitStack()
        if threading.current_thread() is not threading.main_thread():
            return self  # Only the main thread is told of signals.
        receiver, sender = socket.socketpair()
        sender.setblocking(False)
        former = signal.set_wakeup_fd(sender.fileno())
        self._undo.callback(receiver.close)
        self._undo.callback(sender.close)
        self._undo.callback(signal.set_wakeup_fd, former)
        for number in _SIGNALS:
            # A handler has to be there for the wake-up; what it would do, the thread has done.
            handler = signal.signal(number, lambda number, frame: None)
            self._undo.callback(signal.signal, number, handler)
        threading.Thread(target=self._listen, args=(receiver,), daemon=True).start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._undo.close()

    def _listen(self, receiver: socket.socket) -> None:
        with contextlib.suppress(OSError):  # The socket is closed when the run is over.
            while numbers := receiver.recv(16):
                for number in numbers:
                    if number == signal.SIGINT and self.requested:
                        os._exit(128 + signal.SIGINT)
                    if number in _SIGNALS:
                        self.request()
