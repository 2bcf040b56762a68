"""Files in folders and archives."""

import os

import pytest

from garden.core.errors import UserError
from garden.prepare.stored import find
from tests.prepare.data import archive, archive_of_archives, in_folder, train_files


def contents(path):
    files, _ = find(str(path))
    return {file.name: file.read() for file in files}


def test_archives_are_read_as_if_they_were_unpacked(tmp_path):
    files = train_files()
    (tmp_path / 'flat.tar').write_bytes(archive(files))
    (tmp_path / 'nested.tar').write_bytes(archive_of_archives(files))
    in_folder(tmp_path / 'folder', files)
    assert contents(tmp_path / 'folder') == files
    assert contents(tmp_path / 'flat.tar') == files
    assert contents(tmp_path / 'nested.tar') == files


def test_a_folder_of_archives_is_a_folder_of_folders(tmp_path):
    (tmp_path / 'a.tar').write_bytes(archive({'1.png': b'one'}))
    (tmp_path / 'b.tar').write_bytes(archive({'./2.png': b'two'}))
    assert contents(tmp_path) == {'a/1.png': b'one', 'b/2.png': b'two'}


def test_long_names_and_links_in_folders(tmp_path):
    name = f'{"a" * 120}/{"b" * 120}.png'
    (tmp_path / 'long.tar').write_bytes(archive({name: b'x'}))
    assert contents(tmp_path / 'long.tar') == {name: b'x'}
    in_folder(tmp_path / 'real', {'c/1.png': b'one'})
    (tmp_path / 'links').mkdir()
    (tmp_path / 'links' / 'd').symlink_to(tmp_path / 'real' / 'c')
    assert contents(tmp_path / 'links') == {'d/1.png': b'one'}


def test_empty_folders_are_known_and_what_desktops_leave_is_not(tmp_path):
    in_folder(tmp_path, {'a/1.png': b'', 'a/._1.png': b'', '.cache/2.png': b''})
    (tmp_path / 'b').mkdir()
    files, groups = find(str(tmp_path))
    assert [file.name for file in files] == ['a/1.png']
    assert groups == {'a', 'b'}


@pytest.mark.parametrize('keep', ['within a header', 'within a file', 'between two files'])
def test_an_archive_that_is_cut_off_is_refused(tmp_path, keep):
    """tarfile alone takes one that ends between two files for a whole one."""
    whole = archive({'a.png': b'1' * 512, 'b.png': b'2' * 512})
    length = {'within a header': 1300, 'within a file': 700, 'between two files': 1024}[keep]
    (tmp_path / 'cut.tar').write_bytes(whole[:length])
    with pytest.raises(UserError, match=r'cut\.tar is not a whole tar archive'):
        find(str(tmp_path / 'cut.tar'))


def test_an_inner_archive_that_is_cut_off_is_refused(tmp_path):
    inner = archive({'a.png': b'1' * 512, 'b.png': b'2' * 512})[:1024]
    (tmp_path / 'outer.tar').write_bytes(archive({'n1.tar': inner, 'n2.tar': inner}))
    with pytest.raises(UserError, match=r'outer\.tar is not a whole tar archive.*n1'):
        find(str(tmp_path / 'outer.tar'))


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / 'x.tar').write_bytes(b'\x1f\x8b' + bytes(2000))
    with pytest.raises(UserError, match='unpack it where it is compressed'):
        find(str(tmp_path / 'x.tar'))


def test_a_name_that_is_not_utf_8_is_refused(tmp_path):
    with open(os.path.join(os.fsencode(tmp_path), b'\xff.png'), 'wb'):
        pass
    with pytest.raises(UserError, match='not UTF-8'):
        find(str(tmp_path))


def test_a_link_into_nowhere_and_a_file_that_shrank_are_named(tmp_path):
    (tmp_path / 'a.png').write_bytes(b'12345')
    (file,), _ = find(str(tmp_path))
    (tmp_path / 'a.png').write_bytes(b'1')
    with pytest.raises(UserError, match=r'a\.png changed'):
        file.read()
    (tmp_path / 'b.png').symlink_to(tmp_path / 'nowhere')
    with pytest.raises(UserError, match=r'b\.png cannot be read: No such file'):
        find(str(tmp_path))
