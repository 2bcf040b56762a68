"""Folders of another kind have pages of another kind, without a list to edit."""

import pytest
from run_folders import write_run

from garden.core import registry
from garden.core.errors import UserError
from garden.report.kinds import make_page
from garden.report.page import Page


class PondPage:
    """The page of a pond, as a package from elsewhere would register it."""

    kind = 'pond'
    sign = 'pond.json'

    def recognises(self, folder):
        return (folder / 'pond.json').exists()

    def page(self, folders):
        return Page(f'{len(folders)} ponds', '', [])


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two ponds and a run, where ponds are known."""
    names, get = registry.names, registry.get
    monkeypatch.setattr(registry, 'names', lambda kind: [*names(kind), 'pond'])
    monkeypatch.setattr(registry, 'get', lambda kind, n: PondPage if n == 'pond' else get(kind, n))
    for name in ('first', 'second'):
        (tmp_path / name).mkdir()
        (tmp_path / name / 'pond.json').write_text('{}')
    write_run(tmp_path / 'run')
    return tmp_path


def test_each_kind_makes_its_own_page(folders):
    assert make_page([folders / 'first', folders / 'second']).title == '2 ponds'
    assert make_page([folders / 'run']).title == 'toy'


def test_one_page_is_about_one_kind(folders):
    with pytest.raises(UserError, match=r'first is a pond and .*run a run: one report is about'):
        make_page([folders / 'first', folders / 'run'])


def test_what_is_of_no_kind_is_told_what_there_is(folders):
    with pytest.raises(UserError, match=r'not the folder of a pond .* or a run|a run .* or a pond'):
        make_page([folders])
