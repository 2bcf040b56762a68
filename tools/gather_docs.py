"""Gathers what the site is made of: `python tools/gather_docs.py FOLDER`, then sphinx-build.

README.md becomes the front page, CONTRIBUTING.md and CHANGELOG.md become pages, the registries the
configuration reference, and each file of the repository that a page links to a page that shows it.
`make docs` does both steps.
"""

import os
import posixpath
import re
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tools import reference  # noqa: E402 (the checkout's)

DOCS = ROOT / 'docs'
NAV = DOCS / 'nav.yml'
_PAGES = {'README.md': 'index.md', 'CONTRIBUTING.md': 'adding.md', 'CHANGELOG.md': 'changelog.md'}
_LINK = re.compile(r'(?<=\]\()(?!\w+:|#)([^)\s#]+)(#[^)\s]*)?(?=\))')
_FENCED = re.compile(r'^```.*?^```$', re.MULTILINE | re.DOTALL)
_LEXERS = {
    '.gin': 'gin',
    '.py': 'python',
    '.sh': 'bash',
    '.yaml': 'yaml',
    '.tpu': 'docker',
    '.json': 'json',
}


def gather(folder: Path) -> None:
    """Writes the sources of the site into a folder that does not exist yet."""
    shutil.copytree(DOCS / 'images', folder / 'images')
    texts = {_PAGES[name]: (name, (ROOT / name).read_text()) for name in _PAGES}
    for path in sorted(DOCS.rglob('*.md')):
        name = path.relative_to(ROOT).as_posix()
        texts[path.relative_to(DOCS).as_posix()] = (name, path.read_text())
    for kind, text in reference.pages().items():
        texts[f'reference/{kind}.md'] = (f'docs/reference/{kind}.md', text)
    shown: set[str] = set()
    for page, (name, text) in texts.items():
        _write(folder / page, linked(text, name, page, shown))
    for name in sorted(shown):
        _show(name, folder)
    _write_sections(folder, [page.removesuffix('.md') for page in texts])


def linked(text: str, name: str, page: str, shown: set[str]) -> str:
    """Returns a page whose links lead to where things are on the site.

    Args:
      text: the page.
      name: its path in the repository.
      page: its path on the site.
      shown: takes up the files and folders that are linked to and are no pages.

    Raises:
      FileNotFoundError: for a link to what does not exist.
    """

    def place(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), match[1]))
        return _relative(_place(target, name, shown), page) + (match[2] or '')

    parts = _FENCED.split(text)
    blocks = [*_FENCED.findall(text), '']
    return ''.join(_LINK.sub(place, p) + b for p, b in zip(parts, blocks, strict=True))


def _place(target: str, name: str, shown: set[str]) -> str:
    """Returns the path on the site of a path in the repository."""
    if target in _PAGES:
        return _PAGES[target]
    path = ROOT / target
    if not path.exists():
        raise FileNotFoundError(f'{name} links to {target}, which does not exist.')
    if path.is_relative_to(DOCS) and path.suffix in ('.md', '.png'):
        return path.relative_to(DOCS).as_posix()
    shown.add(target)
    return f'source/{target}.md'


def _relative(place: str, page: str) -> str:
    return os.path.relpath(place, posixpath.dirname(page) or '.')


def _show(name: str, folder: Path) -> None:
    """Writes the page that shows a file, or lists a folder and shows what is in it."""
    path = ROOT / name
    lines = ['---', 'orphan: true', '---', f'# {name}', '']
    if path.is_dir():
        lines += [f'- {_shown_entry(entry, folder)}' for entry in sorted(_entries(path))]
    else:
        lexer = _LEXERS.get(path.suffix, 'text')
        lines += [f'`````{lexer}', path.read_text().rstrip('\n'), '`````']
    _write(folder / 'source' / f'{name}.md', '\n'.join(lines) + '\n')


def _entries(path: Path) -> Iterator[Path]:
    return (p for p in path.iterdir() if not p.name.startswith(('_', '.')))


def _shown_entry(path: Path, folder: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    if not (folder / 'source' / f'{name}.md').exists():
        _show(name, folder)
    return f'[{path.name}]({path.parent.name}/{path.name}.md)'


def _write_sections(folder: Path, pages: list[str]) -> None:
    """Lists on the page of each section what it holds, and on the front page the sections.

    A section has a page of its own in docs/, or gets one of its title and a sentence.
    """
    sections = yaml.safe_load(NAV.read_text())
    named = [page for section in sections.values() for page in section.get('pages', ())]
    left = [p for p in pages if p not in (*named, *sections, 'index') and 'reference/' not in p]
    sections['guide']['pages'] += left
    for name, section in sections.items():
        page = folder / f'{name}.md'
        if not page.exists():
            page.write_text(f'# {section["title"]}\n\n{section["about"]}\n')
        with page.open('a') as end:
            end.write('\n' + _toctree(section.get('pages', ())))
    with (folder / 'index.md').open('a') as front:
        front.write('\n' + _toctree(sections, ':hidden:'))


def _toctree(pages: Collection[str], option: str = ':maxdepth: 1') -> str:
    listed = ['```{toctree}', option, ':glob:', '', *pages, '```', '']
    return '\n'.join(listed) if pages else ''


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == '__main__':
    gather(Path(sys.argv[1]))
