"""Writes docs/tested.json: which pages were tested, when, and with which versions.

`make docs-tested` runs the tests of all blocks first and this when they have passed.
"""

import datetime
import hashlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import garden  # noqa: E402 (the checkout's, whatever is installed)

RECORD = ROOT / 'docs' / 'tested.json'
_PACKAGES = ('tensorflow', 'tf_keras', 'tf-models-official', 'gin-config')


def versions() -> dict[str, str]:
    """Returns the versions that are installed here, Garden's own first."""
    found = {package: importlib.metadata.version(package) for package in _PACKAGES}
    return {'Garden': garden.__version__, 'Python': platform.python_version(), **found}


def main() -> int:
    """Tests the pages and, if all is well, writes down that it is."""
    command = [sys.executable, '-m', 'pytest', '-q', '-m', 'slow or not slow', 'tests/test_docs.py']
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status:
        return status
    listed = ('README.md', 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md')))
    pages = {
        (ROOT / page).relative_to(ROOT).as_posix(): {
            'date': datetime.date.today().isoformat(),
            'sha256': hashlib.sha256((ROOT / page).read_bytes()).hexdigest(),
            'versions': versions(),
        }
        for page in listed
    }
    RECORD.write_text(json.dumps({'pages': pages}, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
