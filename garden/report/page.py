"""A page to read: sections of text, tables and pictures, in one HTML file that needs no other.

A page is data. `write` turns it into a folder: `index.html`, which holds its style and pictures and
asks for nothing over the network, and the pictures once more as PNG files.
"""

import base64
import dataclasses
import datetime
import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

from etils import epath

import garden
from garden.engine.replacing import replacing

INDEX = 'index.html'
_SIGN = '<meta name="generator" content="garden report">'


@dataclasses.dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
      text: what it says.
      tone: how it is to be read: '', 'good', 'bad', 'best' or 'faint', or two of them with a space
        between. It is shown by a mark as well as by colour.
    """

    text: str
    tone: str = ''


@dataclasses.dataclass(frozen=True)
class Text:
    """A paragraph.

    Attributes:
      text: plain text.
      tone: as that of a cell.
    """

    text: str
    tone: str = ''


@dataclasses.dataclass(frozen=True)
class Table:
    """A table, whose first column names its rows.

    Attributes:
      head: the headings of the columns; '' for none.
      rows: as many cells each as there are headings.
      caption: what the table shows.
      numeric: whether the columns after the first are aligned to the right.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[Cell | str]]
    caption: str
    numeric: bool = False

    @property
    def cells(self) -> list[list[Cell]]:
        """The rows, each cell with its tone."""
        return [[c if isinstance(c, Cell) else Cell(c) for c in row] for row in self.rows]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture.

    Attributes:
      name: of its file, without the ending; one page has no two of a name.
      png: the bytes of a PNG file, e.g. of `garden.figures.png.encode`.
      caption: what stands below it.
      alt: what it shows, for those who do not see it; the caption if ''.
    """

    name: str
    png: bytes
    caption: str
    alt: str = ''

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        width, height = struct.unpack('>II', self.png[16:24])
        return width, height

    @property
    def url(self) -> str:
        """The picture itself as a URL."""
        return f'data:image/png;base64,{base64.b64encode(self.png).decode()}'


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Pictures that belong together.

    Attributes:
      pictures: in their order.
      title: a heading above them; none if ''.
      layout: 'panels' for plots side by side, 'pictures' for pictures in their own size, 'strip'
        for a row that is scrolled.
    """

    pictures: Sequence[Picture]
    title: str = ''
    layout: str = 'panels'


@dataclasses.dataclass(frozen=True)
class Fold:
    """Something long that is opened on demand: a text with its line breaks, or other parts.

    Attributes:
      title: what it is.
      text: shown as it is written, if not ''.
      parts: shown below.
    """

    title: str
    text: str = ''
    parts: Sequence['Part'] = ()


Part = Text | Table | Gallery | Fold


@dataclasses.dataclass(frozen=True)
class Section:
    """A section with a heading, which the page's table of contents lists."""

    title: str
    parts: Sequence[Part]


@dataclasses.dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
      title: its heading.
      summary: one or two sentences below it.
      sections: those without parts are left out.
      facts: what stands at the top: (name, value) pairs.
    """

    title: str
    summary: str
    sections: Sequence[Section]
    facts: Sequence[tuple[str, Cell | str]] = ()

    @property
    def pictures(self) -> list[Picture]:
        """All pictures in their order."""
        return [p for section in self.sections for p in _pictures(section.parts)]


def _pictures(parts: Sequence[Part]) -> Iterator[Picture]:
    for part in parts:
        if isinstance(part, Gallery):
            yield from part.pictures
        elif isinstance(part, Fold):
            yield from _pictures(part.parts)


def render(page: Page) -> str:
    """Returns the page as HTML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters['kind'] = lambda part: type(part).__name__
    sections = [section for section in page.sections if section.parts]
    footer = f'Made by Garden {garden.__version__} on {datetime.date.today():%d %B %Y}.'
    template = environment.get_template('page.html')
    return template.render(page=page, sections=sections, sign=_SIGN, footer=footer)


def write(page: Page, folder: Path) -> Path:
    """Writes `index.html` and, in `pictures`, the pictures; a report that is there is replaced.

    Returns:
      The path of `index.html`.

    Raises:
      UserError: if the folder holds something else than a report.
      StorageError: if it cannot be written; what was there is kept.
    """
    with replacing(epath.Path(folder), 'a report', _is_report, '--output') as scratch:
        (scratch / 'pictures').mkdir()
        for picture in page.pictures:
            name = re.sub(r'[^\w.-]', '_', picture.name)
            (scratch / 'pictures' / f'{name}.png').write_bytes(picture.png)
        (scratch / INDEX).write_text(render(page), encoding='utf-8')
    return folder / INDEX


def _is_report(folder: epath.Path) -> bool:
    index = folder / INDEX
    return index.is_file() and _SIGN.encode() in index.read_bytes()[:2000]
