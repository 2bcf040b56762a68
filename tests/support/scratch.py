"""A folder that looks like the checkout, in which the blocks of a page are run with bash."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import warm_python

ROOT = Path(__file__).resolve().parents[2]
_CLIENT = Path(__file__).with_name('warm_client.py')
_SECONDS = 300.0


class Shell:
    """Runs scripts with bash, their `python` and `garden` by a Python that is warm.

    Args:
      data: the folder of data sets.
    """

    def __init__(self, data: Path):
        self._folder = Path(tempfile.mkdtemp(prefix='shell-'))  # Short, as a socket's path must be.
        self._socket = self._folder / 'socket'
        self._tools = self._folder / 'bin'
        self._tools.mkdir()
        for name in ('python', 'garden'):
            tool = self._tools / name
            tool.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {_CLIENT} {name} "$@"\n')
            tool.chmod(0o755)
        make = self._tools / 'checked' / 'make'
        make.parent.mkdir()
        make.write_text(f'#!/bin/sh\nPATH={shlex.quote(os.environ["PATH"])} exec make -n "$@"\n')
        make.chmod(0o755)
        self._variables = {
            **os.environ,
            'TFDS_DATA_DIR': str(data),
            'WARM_PYTHON_SOCKET': str(self._socket),
        }
        server = [sys.executable, str(Path(warm_python.__file__)), str(self._socket)]
        self._server = subprocess.Popen(
            server,
            cwd=ROOT,
            env={**os.environ, 'PYTHONPATH': str(ROOT), 'CUDA_VISIBLE_DEVICES': ''},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._server.stdout is not None
        assert self._server.stdout.readline() == 'ready\n'

    def run(self, script: str, folder: Path, *, check_only: bool = False) -> str:
        """Runs a script in a folder and returns what it has said.

        Args:
          script: lines for bash; the first that fails ends it.
          folder: where to run it.
          check_only: parses Garden's commands, lets make show its own, and finds no others.

        Raises:
          AssertionError: if it fails, with what it has said.
        """
        path = f'{self._tools}:{self._tools / "checked" if check_only else os.environ["PATH"]}'
        checks = {warm_python.CHECK_ONLY: '1'} if check_only else {}
        process = subprocess.Popen(
            ['/bin/bash', '-euo', 'pipefail', '-c', script],
            cwd=folder,
            env={**self._variables, **checks, 'PATH': path},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=_SECONDS)
        finally:
            _end(process)
        assert process.returncode == 0, f'status {process.returncode} of\n{script}\n{said}'
        return said

    def close(self) -> None:
        """Ends the warm Python."""
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()
        shutil.rmtree(self._folder)


def make(folder: Path) -> Path:
    """Makes a folder with a link to everything that the checkout holds at its top."""
    listed = subprocess.run(
        ['git', 'ls-files', '--cached', '--others', '--exclude-standard'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    folder.mkdir(parents=True)
    for name in sorted({line.split('/')[0] for line in listed.stdout.splitlines()}):
        (folder / name).symlink_to(ROOT / name)
    return folder


def write(folder: Path, name: str, text: str) -> None:
    """Writes a file into the folder, never through one of its links."""
    path = folder / name.strip()
    assert path.parent.resolve().is_relative_to(folder.resolve()), f'{name} is in the checkout'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_text(text)


def with_arguments(script: str, arguments: str) -> str:
    """Returns a script in which each launch of an experiment has further arguments."""
    lines = script.replace('\\\n', ' ').splitlines()
    return '\n'.join(f'{line} {arguments}' if _launches(line) else line for line in lines)


def _launches(line: str) -> bool:
    # No parsing: a line may be a part of a quoted text.
    return re.search(r'(?<!\S)--experiment\b', line.split(' #')[0]) is not None


def _end(process: subprocess.Popen[str]) -> None:
    """Ends what a script has left in the background."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
