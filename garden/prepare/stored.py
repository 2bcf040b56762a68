"""Files as they lie in folders and in tar archives, found without unpacking anything.

An uncompressed tar archive holds its members' bytes one after the other, and archives within it
too: a member is a stretch of the outermost file, and is read as one.
"""

import dataclasses
import os
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

from garden.core.errors import UserError

_BLOCK = 512
_TAR = '.tar'


@dataclasses.dataclass(frozen=True, slots=True)
class Stored:
    """A file, or a stretch of one.

    Attributes:
      name: its path from where the search began, '/' between the parts; an archive within counts
        as a folder that has its name without '.tar'.
      path: the file to open.
      offset: the first byte.
      size: the number of bytes.
    """

    name: str
    path: str
    offset: int
    size: int

    def read(self) -> bytes:
        """Returns the bytes.

        Raises:
          UserError: if the file is gone, cannot be read, or is not what it was.
        """
        try:
            with open(self.path, 'rb') as file:
                file.seek(self.offset)
                data = file.read(self.size)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        if len(data) != self.size:
            raise UserError(f'{self.path} changed while it was read: it has become shorter.')
        return data


def find(path: str) -> tuple[list[Stored], set[str]]:
    """Returns all files in a folder or an archive, and the names of its folders and archives.

    Links are followed in folders. Names that begin with a dot are left out: they are what desktops
    and other tools leave behind.

    Raises:
      UserError: if something cannot be read: an archive that is cut off or compressed, a name that
        is not UTF-8, a link into nowhere.
    """
    files: list[Stored] = []
    groups: set[str] = set()
    for file in _in_archive(path) if os.path.isfile(path) else _in_folder(path, groups):
        top, *rest = file.name.split('/')
        if rest:
            groups.add(top)
        if not file.name.endswith('/'):  # What archives write for their folders.
            files.append(file)
    return files, groups


def _in_folder(folder: str, groups: set[str]) -> Iterator[Stored]:
    def refuse(error: OSError) -> None:
        raise _unreadable(error.filename, error) from error

    for where, folders, names in os.walk(folder, onerror=refuse, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        if where == folder:
            groups.update(folders)
        for name in sorted(name for name in names if not name.startswith('.')):
            path = os.path.join(where, name)
            relative = _text(os.path.relpath(path, folder), folder)
            if name.endswith(_TAR):
                stem = relative.removesuffix(_TAR)
                groups.add(stem.split('/')[0])
                yield from _in_archive(path, prefix=f'{stem}/')
                continue
            try:
                size = os.stat(path).st_size
            except OSError as error:
                raise _unreadable(path, error) from error
            yield Stored(relative, path, 0, size)


def _in_archive(path: str, prefix: str = '') -> Iterator[Stored]:
    try:
        with open(path, 'rb') as file:
            yield from _members(file, path, prefix, 0)
    except (tarfile.TarError, EOFError) as error:
        raise UserError(
            f'{path} is not a whole tar archive ({error}): copy or download it anew, and unpack it '
            'where it is compressed.'
        ) from error
    except OSError as error:
        raise _unreadable(path, error) from error


def _members(file: BinaryIO, path: str, prefix: str, start: int) -> Iterator[Stored]:
    """Yields the members of an archive that begins at byte `start` of a file."""
    with tarfile.open(fileobj=file, mode='r:') as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # They would all be kept.
            name = _text(member.name.removeprefix('./'), path)
            if any(part.startswith('.') for part in name.split('/')):
                continue
            place = start + member.offset_data
            if member.isdir():
                yield Stored(f'{prefix}{name}/', path, place, 0)
            elif not member.isreg() or member.issparse():
                raise UserError(
                    f'{path}: the member {name} is a link or no ordinary file; unpack the archive '
                    'and give the folder.'
                )
            elif name.endswith(_TAR):
                inner = f'{prefix}{name.removesuffix(_TAR)}/'
                yield Stored(inner, path, place, 0)
                inside = archive.extractfile(member)
                assert inside is not None  # It is an ordinary file.
                yield from _members(inside, path, inner, place)  # type: ignore[arg-type]
            else:
                yield Stored(prefix + name, path, place, member.size)
        # tarfile takes garbage, and the end of the file, for the end of the archive.
        file.seek(archive.offset)
        if file.read(_BLOCK) != bytes(_BLOCK):
            within = f' in {prefix.rstrip("/")}' if prefix else ''
            raise tarfile.ReadError(f'it breaks off{within} at byte {start + archive.offset:,}')


def _text(name: str, where: str) -> str:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise UserError(f'{where} holds a name that is not UTF-8, {name!a}.') from error
    return name


def _unreadable(path: str, error: OSError) -> UserError:
    return UserError(f'{path} cannot be read: {error.strerror}.')
