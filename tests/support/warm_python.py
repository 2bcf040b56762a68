"""A Python that has imported TensorFlow already: each command is a fork of it, in no time.

It serves on a socket until its standard input ends. `warm_client.py`, under the names python and
garden, hands over arguments, folder, environment and open files, and leaves with the status that
the command left with. What the fork does is what a new process would do.
"""

import argparse
import json
import os
import runpy
import select
import signal
import socket
import sys
import traceback
from typing import Any

CHECK_ONLY = 'WARM_PYTHON_CHECKS'  # In the environment of a command: parse it, and do not run it.
SOCKET = 'WARM_PYTHON_SOCKET'


def serve(path: str) -> None:
    """Answers until nobody holds the other end of standard input."""
    import orbit  # noqa: F401
    import tensorflow_datasets  # noqa: F401
    import tf_keras  # noqa: F401

    import garden.cli.launch
    import garden.cli.run
    import garden.tasks.image_classification  # noqa: F401

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    print('ready', flush=True)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            os._exit(0)  # Spares Python the taking apart of TensorFlow.
        connection, _ = listener.accept()
        if not os.fork():
            listener.close()
            _attend(connection)
        connection.close()


def _attend(connection: socket.socket) -> None:
    """Runs one command, ends it if whoever has asked for it goes away, and reports its status."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    data, files, _, _ = socket.recv_fds(connection, 1 << 16, 3)
    while not data.endswith(b'\n'):
        data += connection.recv(1 << 16)
    process = os.fork()
    if not process:
        connection.close()
        os._exit(_run(json.loads(data), files))
    ended = os.pidfd_open(process)
    ready, _, _ = select.select([connection, ended], [], [])
    if ended not in ready:
        os.kill(process, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    if ended in ready:
        connection.sendall(str(status).encode())
    os._exit(0)


def _run(request: dict[str, Any], files: list[int]) -> int:
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(request['folder'])
    os.environ.clear()
    os.environ.update(request['environment'])
    status = 1
    try:
        status = _status(_command(request['words']))
    except SystemExit as left:
        status = _status(left.code)
    except BaseException:  # Python itself would show it and leave with 1.
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _command(words: list[str]) -> object:
    """Does what `python ...` or `garden ...` does."""
    from garden.cli import launch

    checks = CHECK_ONLY in os.environ
    called = os.path.basename(words[0])
    script = None if called == 'garden' else words[1]
    arguments = words[1 if script is None else 2 :]
    sys.argv = [script or called, *arguments]
    if script is None or os.path.basename(script) == 'launch.py':
        if not checks:
            return launch.main(arguments)
        if any(word.startswith('--experiment') for word in arguments):
            return launch.main([*arguments, '--print_config'])
        _stop_after_parsing()
        return launch.main(arguments)
    if checks:
        _stop_after_parsing()
    if script == '-c':
        exec(arguments[0], {'__name__': '__main__'})
        return 0
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    runpy.run_path(script, run_name='__main__')
    return 0


def _stop_after_parsing() -> None:
    from garden.cli.arguments import Parser

    def parse_only(parse: Any) -> Any:
        def parse_and_leave(self: Any, args: Any = None, namespace: Any = None) -> None:
            parse(self, args, namespace)
            raise SystemExit(0)

        return parse_and_leave

    for parser in (argparse.ArgumentParser, Parser):
        parser.parse_args = parse_only(parser.parse_args)  # type: ignore[method-assign]


def _status(code: object) -> int:
    if code is None or isinstance(code, int):
        return code or 0
    print(code, file=sys.stderr)
    return 1


if __name__ == '__main__':
    serve(sys.argv[1])
