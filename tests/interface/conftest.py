"""A small run, launched from Python, to load."""

import sys
from pathlib import Path

import pytest

import garden

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope='session')
def launched(tmp_path_factory):
    """What launching it returned; its best checkpoint is not its last."""
    from small_run import SMALL

    folder = tmp_path_factory.mktemp('runs') / 'small'
    return garden.launch('regnety_mini', SMALL, folder, strategy='one_device')
