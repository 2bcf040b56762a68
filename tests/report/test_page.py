"""A page is one file that needs no other, and takes the place of the one before it."""

import re
from pathlib import Path

import pytest
from run_folders import picture

from garden.core.errors import StorageError, UserError
from garden.figures import png
from garden.report import page as page_lib
from garden.report.page import (
    Cell,
    Fold,
    Gallery,
    Page,
    Picture,
    Section,
    Table,
    Text,
    render,
    write,
)


def shown(name='shown', seed=0):
    return Picture(name, png.encode(picture(seed)), 'What it shows')


@pytest.fixture
def page():
    inner = Table(('', 'b'), [('row', Cell('<1>', 'good best'))], 'A & B')
    parts = [Text('Words.', 'faint'), Gallery([shown()]), Fold('More', 'a\n b', [inner])]
    return Page('A <page>', 'About it.', [Section('First', parts), Section('Empty', [])])


def test_it_asks_for_nothing_and_runs_nothing(page):
    html = render(page)
    links = re.findall(r'(?:src|href|action|data|srcset)="([^"]*)"', html)
    assert links and all(link.startswith(('data:', '#')) for link in links)
    assert not re.search(r'<script|@import|url\(|http', html)


def test_what_is_said_is_text_and_no_markup(page):
    html = render(page)
    assert 'A &lt;page&gt;' in html and '&lt;1&gt;' in html and 'A &amp; B' in html
    assert '<1>' not in html


def test_a_section_without_anything_is_left_out(page):
    html = render(page)
    assert '>First</a>' in html and 'Empty' not in html


def test_pictures_lie_beside_the_page(page, tmp_path):
    index = write(page, tmp_path / 'made' / 'report')
    assert index == tmp_path / 'made' / 'report' / 'index.html'
    (kept,) = (index.parent / 'pictures').iterdir()
    assert (kept.name, kept.read_bytes()) == ('shown.png', shown().png)


def test_a_name_is_no_path(tmp_path):
    page = Page('A', '', [Section('B', [Gallery([shown('loss/total'), shown('../x')])])])
    write(page, tmp_path / 'report')
    names = {path.name for path in (tmp_path / 'report' / 'pictures').iterdir()}
    assert names == {'loss_total.png', '.._x.png'}


def test_a_new_report_takes_the_place_of_the_old_one(page, tmp_path):
    write(page, tmp_path / 'report')
    other = Page('Another', '', [Section('B', [Gallery([shown('other')])])])
    write(other, tmp_path / 'report')
    assert 'Another' in (tmp_path / 'report' / 'index.html').read_text()
    assert [p.name for p in (tmp_path / 'report' / 'pictures').iterdir()] == ['other.png']
    assert [p.name for p in tmp_path.iterdir()] == ['report']


def test_a_folder_of_something_else_is_not_replaced(page, tmp_path):
    (tmp_path / 'index.html').write_text('<title>my own</title>')
    with pytest.raises(UserError, match='something else than a report: give another --output'):
        write(page, tmp_path)
    assert (tmp_path / 'index.html').read_text() == '<title>my own</title>'


def test_an_empty_folder_is_taken_by_whatever_name(page, tmp_path, monkeypatch):
    (tmp_path / 'report').mkdir()
    monkeypatch.chdir(tmp_path / 'report')
    write(page, Path('.'))
    assert (tmp_path / 'report' / 'index.html').is_file()
    monkeypatch.chdir(tmp_path)
    Path('link').symlink_to('report')
    for _ in range(2):
        assert write(page, Path('link')).is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ['link', 'report']


def test_what_cannot_be_written_leaves_the_old_report(page, tmp_path, monkeypatch):
    write(page, tmp_path / 'report')
    before = (tmp_path / 'report' / 'index.html').read_text()

    def full(page):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(page_lib, 'render', full)
    with pytest.raises(StorageError, match='No space left'):
        write(page, tmp_path / 'report')
    assert (tmp_path / 'report' / 'index.html').read_text() == before
    assert [p.name for p in tmp_path.iterdir()] == ['report']


def luminance(colour):
    """The relative luminance of '#rrggbb', as WCAG 2 defines it."""
    shades = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shades]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_letters_stand_out_by_day_and_by_night():
    style = (Path(page_lib.__file__).parent / 'page.css').read_text()
    for scheme in re.findall(r':root \{(.*?)\}', style, re.DOTALL):
        colours = dict(re.findall(r'--(\w+): (#\w{6})', scheme))
        for ink in ('ink', 'soft', 'accent', 'good', 'bad'):
            for ground in ('ground', 'card'):
                both = sorted((luminance(colours[ink]), luminance(colours[ground])))
                assert (both[1] + 0.05) / (both[0] + 0.05) >= 4.5, (ink, ground)
