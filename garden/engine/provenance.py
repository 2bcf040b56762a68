"""Where a run comes from: its command, the versions of all packages, the state of the code."""

import datetime
import importlib.metadata
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import garden


def command_line() -> list[str]:
    """Returns the command that started this process."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def launch(seed: int, devices: str) -> dict[str, Any]:
    """Returns what run.json says of a launch by this process, now.

    Args:
      seed: the seed of the run.
      devices: their number and kind, for people.
    """
    return {
        'time': datetime.datetime.now(datetime.UTC).isoformat(timespec='seconds'),
        'command': command_line(),
        'seed': seed,
        'devices': devices,
        'python': platform.python_version(),
        'platform': platform.platform(),
        'versions': _versions(),
        'git': _git_state(),
    }


def _versions() -> dict[str, str]:
    """Returns the version of every installed package."""
    found = {d.name: d.version for d in importlib.metadata.distributions()}
    return dict(sorted(found.items(), key=lambda item: item[0].lower())) | {
        'garden': garden.__version__
    }


def _git_state() -> dict[str, Any] | None:
    """Returns the commit that the code is at and whether it was changed since, None outside git."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ('git', '-C', str(Path(__file__).parent), *arguments),
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        git('ls-files', '--error-unmatch', Path(__file__).name)  # Not some repository around us.
        return {
            'commit': git('rev-parse', 'HEAD'),
            'changed': bool(git('status', '--porcelain', '--', '*.py', '*.gin')),
        }
    except (OSError, subprocess.SubprocessError):
        return None
