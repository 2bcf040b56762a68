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


def hashes() -> dict[str, str]:
    """Returns the SHA-256 of each page, by its path in the repository."""
    pages = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]
    return {
        page.relative_to(ROOT).as_posix(): hashlib.sha256(page.read_bytes()).hexdigest()
        for page in pages
    }


def main() -> int:
    """Tests the pages and, if all is well, writes down that it is."""
    tested = hashes()  # Before the tests: what changes while they run is not what they test.
    command = [sys.executable, '-m', 'pytest', '-q', '-m', 'slow or not slow', 'tests/test_docs.py']
    status = subprocess.run(command, cwd=ROOT, check=False).returncode
    if status:
        return status
    now = {'date': datetime.date.today().isoformat(), 'versions': versions()}
    pages = {page: {'sha256': sha256, **now} for page, sha256 in tested.items()}
    RECORD.write_text(json.dumps({'pages': pages}, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
