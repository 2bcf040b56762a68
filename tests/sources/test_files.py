"""Folders of pictures."""

import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.sources.files import ImageFolder


@pytest.fixture
def root(tmp_path):
    for path in (
        'train/zebra/b.jpg',
        'train/zebra/a.PNG',
        'train/ant/images/deep.JPEG',
        'train/ant/notes.txt',
        'train/readme.md',
        'val/ant/c.gif',
    ):
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(path)
    return str(tmp_path)


def examples(source):
    loaded = [source.load(tf.constant(i, tf.int64)) for i in range(len(source))]
    return [(e['image'].numpy().decode(), int(e['label'])) for e in loaded]


def test_sorted_folders_are_the_classes_and_all_pictures_below_count(root):
    source = ImageFolder(root, 'train')
    assert source.class_names == ['ant', 'zebra']
    assert examples(source) == [
        ('train/ant/images/deep.JPEG', 0),
        ('train/zebra/a.PNG', 1),
        ('train/zebra/b.jpg', 1),
    ]


def test_a_folder_without_splits(root):
    assert examples(ImageFolder(f'{root}/val', '')) == [('val/ant/c.gif', 0)]


def test_a_missing_folder_is_reported_with_the_nearest_and_a_sibling(root):
    source = ImageFolder(root, 'trian', offline_sibling='toy_mini')
    with pytest.raises(UserError) as error:
        len(source)
    assert 'trian is not prepared: nothing found in' in str(error.value)
    assert 'Did you mean train?' in str(error.value)
    assert '--experiment=toy_mini' in str(error.value)
    assert '\n' not in str(error.value)


def test_a_folder_without_pictures_is_reported(tmp_path):
    (tmp_path / 'train' / 'ant').mkdir(parents=True)
    with pytest.raises(UserError, match=r'holds no pictures: .* one folder for each class .ant.'):
        len(ImageFolder(str(tmp_path), 'train'))
