"""The documentation's site: no link leads nowhere, and nothing is loaded from elsewhere."""

import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from garden.core import catalog
from tools import gather_docs, reference


def registered():
    return [entry for kind in reference.kinds() for entry in reference.entries(kind)]


def test_the_reference_holds_every_name():
    known = {key for key, e in catalog.scan().items() if e.module.startswith('garden.')}
    assert {f'{entry.kind}.{entry.name}' for entry in registered()} == known
    assert {'models.regnety', 'garden.phase', 'garden.experiment'} < known
    assert list(reference.pages()) == reference.kinds()


def test_every_parameter_has_a_type_a_default_and_a_description():
    lacking = [
        f'{entry.place}: {entry.kind}.{entry.name}.{setting.name}'
        for entry in registered()
        for setting in reference.settings(entry)
        if not setting.type or not setting.description or setting.description.startswith('see ')
    ]
    assert not lacking, '\n'.join(lacking)


def test_the_reference_agrees_with_what_gin_files_may_bind():
    for entry in registered():
        settings = reference.settings(entry)
        known = entry.parameters
        assert known is not None, f'{entry.place}: the source text cannot tell what it takes'
        assert [s.name for s in settings] == [p.name for p in known], entry.place
        assert [s.default is not None for s in settings] == [p.has_default for p in known]


def test_a_page_of_the_reference_shows_type_default_and_description():
    text = reference.page('schedules')
    shown = (
        '```{confval} schedules.linear.floor\n:type: `float`\n:default: `0.0`\n\n'
        'the last rate as a fraction of `base`.\n```\n'
    )
    assert shown in text
    assert '```{confval} schedules.linear.base\n:type: `float`\n:default: required\n' in text


def test_links_lead_to_where_things_are_on_the_site():
    text = (
        '[a](../../README.md#licence) [b](../export.md) [c](../../garden/core/feed.py) [d](#e)\n'
        '```python\nx[0](../kept)\n```\n[f](https://x.org/y.md)\n'
    )
    shown = set()
    assert gather_docs.linked(text, 'docs/systems/regnet.md', 'systems/regnet.md', shown) == (
        '[a](../index.md#licence) [b](../export.md) [c](../source/garden/core/feed.py.md) [d](#e)\n'
        '```python\nx[0](../kept)\n```\n[f](https://x.org/y.md)\n'
    )
    assert shown == {'garden/core/feed.py'}
    with pytest.raises(FileNotFoundError, match=r'docs/export\.md links to docs/exprot\.md'):
        gather_docs.linked('[x](exprot.md)', 'docs/export.md', 'export.md', set())


@pytest.fixture(scope='module')
def gathered(tmp_path_factory):
    folder = tmp_path_factory.mktemp('site') / 'docs'
    gather_docs.gather(folder)
    return folder


def built(source, output):
    command = [sys.executable, '-m', 'sphinx', '--quiet', '--fail-on-warning', '--keep-going']
    return subprocess.run(
        [*command, '-c', str(gather_docs.DOCS), str(source), str(output)],
        cwd=gather_docs.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


class Loaded(HTMLParser):
    """Collects what a browser would load to show a page."""

    def __init__(self):
        super().__init__()
        self.addresses = []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in ('script', 'img', 'iframe', 'source', 'video'):
            self.addresses.append(given.get('src') or '')
        elif tag == 'link' and given.get('rel') in ('icon', 'preload', 'stylesheet'):
            self.addresses.append(given['href'])


@pytest.mark.slow
def test_the_site_is_whole_and_loads_nothing_from_elsewhere(gathered, tmp_path):
    done = built(gathered, tmp_path / 'html')
    assert done.returncode == 0, done.stderr[-3000:]
    pages = sorted((tmp_path / 'html').rglob('*.html'))
    names = {page.relative_to(tmp_path / 'html').as_posix() for page in pages}
    assert {'index.html', 'getting_started.html', 'reference/models.html', 'adding.html'} <= names
    for page in pages:
        loaded = Loaded()
        loaded.feed(page.read_text())
        assert not [address for address in loaded.addresses if '//' in address], page
    for style in (tmp_path / 'html').rglob('*.css'):
        assert not re.search(r'(?:@import\s+|url\()["\']?(?:https?:)?//', style.read_text()), style
    models = (tmp_path / 'html' / 'reference' / 'models.html').read_text()
    for entry in reference.entries('models'):
        for setting in reference.settings(entry):
            assert f'models.{entry.name}.{setting.name}' in models
    foot = re.search(
        r'<p class="tested">(.*?)</p>', (tmp_path / 'html' / 'export.html').read_text()
    )
    assert re.fullmatch(
        r'(Tested on|Changed since .*, on) 20\d\d-\d\d-\d\d with Garden .*', foot[1]
    )
    assert 'tensorflow 2.' in foot[1]


@pytest.mark.slow
def test_a_link_to_an_anchor_that_is_not_there_fails(tmp_path):
    source = tmp_path / 'docs'
    source.mkdir()
    (source / 'index.md').write_text('# A\n\n[x](b.md#gone)\n\n```{toctree}\nb\n```\n')
    (source / 'b.md').write_text('# B\n')
    done = built(source, tmp_path / 'html')
    assert done.returncode != 0
    assert 'gone' in done.stderr
