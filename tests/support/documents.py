"""The code blocks of the documentation, and what their marks say is to be done with them.

A mark is an HTML comment on its own line before a block; docs/writing.md lists them.
"""

import dataclasses
import inspect
import re
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').rglob('*.md'))]

LANGUAGES = ('gin', 'json', 'python', 'shell', 'text', 'toml', 'yaml')
_CONTAINERS = ('bullet_list_open', 'list_item_open', 'ordered_list_open', 'blockquote_open')
_MARK = re.compile(
    r'<!--\s*(?P<word>not run|checked|run with|slow|file|continues|before|given)\b'
    r'(?:, with)?(?::(?P<text>.*?))?\s*-->',
    re.DOTALL,
)


@dataclasses.dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
      place: page:line, for messages.
      language: one of `LANGUAGES`.
      code: its text.
      marks: what its marks say, by their first words.
    """

    place: str
    language: str
    code: str
    marks: dict[str, str]

    @property
    def slow(self) -> bool:
        """Whether only the slow tests run it."""
        return 'slow' in self.marks

    @property
    def runs(self) -> bool:
        """Whether it is a program that is run, and not looked at only."""
        idle = {'not run', 'checked', 'file'} & set(self.marks)
        return self.language in ('python', 'shell') and not idle

    @property
    def arguments(self) -> str:
        """What each launch in it is given in addition."""
        return self.marks.get('run with') or self.marks.get('slow') or ''


def blocks(page: Path) -> list[Block]:
    """Returns the blocks of a page in their order; see `parse`."""
    return parse(page.read_text(), page.relative_to(ROOT).as_posix())


def parse(text: str, name: str) -> list[Block]:
    """Returns the blocks of the text of a page in their order.

    Raises:
      AssertionError: for a block without language, for indented code, for a mark that is unknown,
        lacks its reason, or is followed by no block.
    """
    found: list[Block] = []
    marks: dict[str, str] = {}
    for token in MarkdownIt('commonmark').parse(text):
        if token.map is None:
            continue
        place = f'{name}:{token.map[0] + 1}'
        if token.type == 'html_block' and token.content.lstrip().startswith('<!--'):
            marks |= _marks(token.content, place)
            marks.pop('given', None)
        elif token.type == 'fence' and token.info.startswith('{'):
            continue  # A directive of the site's generator.
        elif token.type == 'fence':
            assert token.info in LANGUAGES, f'{place}: a block is of {", ".join(LANGUAGES)}'
            found.append(Block(place, token.info, token.content, marks))
            marks = {}
        elif token.type not in _CONTAINERS:
            assert token.type != 'code_block', f'{place}: write code between ``` and ```'
            assert not marks, f'{place}: no block follows the mark {marks}'
    assert not marks, f'{name}: no block follows the mark {marks}'
    return found


def given(page: Path) -> str | None:
    """Returns what the page's scratch folder is to hold, or None."""
    text = next((m['text'] for m in _MARK.finditer(page.read_text()) if m['word'] == 'given'), None)
    return text and text.strip()


def joined(listed: list[Block]) -> list[Block]:
    """Returns the blocks with Python that continues a block in one piece, where its end is."""
    whole: list[Block] = []
    for block in listed:
        if 'continues' in block.marks:
            begun = next(b for b in reversed(whole) if b.language == 'python')
            whole.remove(begun)
            code, marks = f'{begun.code}\n{block.code}', begun.marks | block.marks
            block = dataclasses.replace(block, code=code, marks=marks)
        whole.append(block)
    return whole


def _marks(comment: str, place: str) -> dict[str, str]:
    match = _MARK.fullmatch(comment.strip())
    assert match, f'{place}: this mark is not known: {comment.strip()}'
    word, text = match['word'], inspect.cleandoc(match['text'] or '')
    needs_text = word not in ('slow', 'continues')
    assert text or not needs_text, f'{place}: the mark {word!r} says no more'
    return {word: text}
