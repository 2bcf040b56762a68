"""Starts the launcher in processes of its own, as a user does."""

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Launcher:
    """Starts `launch.py` with one folder of data sets, and ends what it has started.

    Args:
      data: the folder of data sets.
      cwd: the folder that runs are started in.
      options: of every subprocess.Popen.
    """

    def __init__(self, data, cwd=ROOT, **options):
        self.data = data
        self._options = {'cwd': cwd, 'stdout': subprocess.PIPE, 'text': True, **options}
        self._started = []

    def start(self, *arguments, **variables):
        """Returns a process; the variables are added to its environment."""
        process = subprocess.Popen(
            [sys.executable, str(ROOT / 'launch.py'), *map(str, arguments)],
            env=os.environ | {'TFDS_DATA_DIR': str(self.data), **variables},
            **{'stderr': subprocess.PIPE, **self._options},
        )
        self._started.append(process)
        return process

    def run(self, *arguments, **variables):
        """Returns the finished process, with what it said."""
        process = self.start(*arguments, **variables)
        output, errors = process.communicate(timeout=300)
        return subprocess.CompletedProcess(arguments, process.returncode, output, errors)

    def end(self):
        """Kills what still runs."""
        for process in self._started:
            process.kill()
            process.wait()


def free_ports(count):
    """Returns ports of this machine that nobody listens on."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(('127.0.0.1', 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports
