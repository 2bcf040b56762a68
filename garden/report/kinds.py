"""Which page a folder gets: its kind has a class that makes it, registered under `pages`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from garden.core import registry
from garden.core.errors import UserError, did_you_mean
from garden.report.page import Page


class PageMaker(Protocol):
    """Makes the page of folders of one kind; it takes no arguments.

    Attributes:
      kind: what such a folder is, e.g. 'run'.
      sign: what tells it, e.g. 'config.gin'.
    """

    kind: str
    sign: str

    def recognises(self, folder: Path) -> bool:
        """Whether the folder is of this kind; it is there."""

    def page(self, folders: Sequence[Path]) -> Page:
        """Returns one page about all the folders."""


def make_page(folders: Sequence[Path]) -> Page:
    """Returns one page about folders of one kind.

    Raises:
      UserError: if a folder is not there, of no kind that has a page, or of another kind than the
        first.
    """
    makers = [registry.get('pages', name)() for name in registry.names('pages')]
    found = [(folder, _maker(folder, makers)) for folder in folders]
    first = found[0][1]
    for folder, maker in found:
        if maker is not first:
            raise UserError(
                f'{found[0][0]} is a {first.kind} and {folder} a {maker.kind}: one report is about '
                'folders of one kind. Report them one after the other.'
            )
    return first.page(folders)


def _maker(folder: Path, makers: Sequence[PageMaker]) -> PageMaker:
    if not folder.is_dir():
        beside = [path.name for path in folder.parent.glob('*/')]
        raise UserError(
            f'{folder}: there is no such folder.{did_you_mean(folder.name, beside)} Name the '
            'folder of a run.'
        )
    for maker in makers:
        if maker.recognises(folder):
            return maker
    known = ' or '.join(f'a {maker.kind} ({maker.sign})' for maker in makers)
    inside = [p for p in sorted(folder.glob('*/')) if any(m.recognises(p) for m in makers)]
    hint = f' Did you mean {", ".join(map(str, inside[:3]))}?' if inside else ''
    raise UserError(f'{folder} is not the folder of {known}.{hint}')
