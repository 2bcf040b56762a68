"""Data that are damaged: which example is blamed, and what is read without it."""

import dataclasses
import io
import os

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from garden.core.bad_examples import FAILURES, Readers
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.image_classification import ImageClassification
from garden.sources.files import ImageFolder
from garden.sources.memory import Arrays
from garden.sources.records import record_offsets
from garden.sources.tfrecord import TFRecord

SIZE = 24
BAD = 13  # In the second file, which has 10 to 17.
FILES = (10, 8, 6)
BATCH = 4
FEATURES = {'image': ('image', 'string', ()), 'label': ('label', 'int64', ())}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Keeps what sources remember out of the user's cache."""
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))


def encoded(number, form='JPEG', mode='RGB'):
    """A picture of its own for each number."""
    coarse = np.random.default_rng(number).uniform(0, 255, (4, 4, 3)).astype(np.float32)
    pixels = np.clip(cv2.resize(coarse, (32, 32)), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(file, form)
    return file.getvalue()


def record(image, label):
    feature = {
        'image': tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
        'label': tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


def pictures(folder, damage=None):
    """One picture in each of 24 classes."""
    for number in range(SIZE):
        place = folder / 'train' / f'{number:02d}'
        place.mkdir(parents=True)
        data = encoded(number)
        if number == BAD and damage == 'picture':
            data = b'no picture at all'
        if number == BAD and damage == 'cut':
            data = data[: len(data) // 2]
        (place / 'it.jpg').write_bytes(data)
    if damage == 'gone':
        return ImageFolder(str(folder)), (folder / 'train' / f'{BAD}' / 'it.jpg').unlink
    return ImageFolder(str(folder)), lambda: None


def records(folder, damage=None, **access):
    """Three files; the label of each example is its number."""
    folder.mkdir()
    number = 0
    for file, length in enumerate(FILES):
        with tf.io.TFRecordWriter(str(folder / f'part-{file}')) as writer:
            for _ in range(length):
                image, label = encoded(number), number
                if number == BAD and damage == 'picture':
                    image = b'no picture at all'
                if number == BAD and damage == 'label':
                    label = SIZE
                whole = number != BAD or damage != 'unparsable'
                writer.write(record(image, label) if whole else b'\xff\xff no example')
                number += 1
    if damage == 'payload':
        flip(folder / 'part-1', int(record_offsets(str(folder / 'part-1'))[BAD - 10]) + 30)
    return TFRecord('part-*', str(folder), FEATURES, **access), lambda: None


def flip(path, byte):
    """Flips a bit."""
    time = os.stat(path)
    with open(path, 'r+b') as file:
        file.seek(byte)
        value = file.read(1)[0]
        file.seek(byte)
        file.write(bytes([value ^ 1]))
    os.utime(path, ns=(time.st_atime_ns, time.st_mtime_ns + 1))


def indexed(folder, damage=None):
    return records(folder, damage)


def stream(folder, damage=None):
    return records(folder, damage, random_access=False, window=5, lanes=2)


CASES = [
    (pictures, 'picture', 'train/13/it.jpg', 'Unknown image file format'),
    (pictures, 'cut', 'train/13/it.jpg', 'Invalid JPEG data'),
    (pictures, 'gone', 'train/13/it.jpg', 'No such file'),
    (indexed, 'picture', 'part-1, record at byte ', 'Unknown image file format'),
    (indexed, 'payload', 'part-1, record at byte ', 'damaged'),
    (indexed, 'label', 'part-1, record at byte ', 'its label 24 is not from 0 to 23'),
    (indexed, 'unparsable', 'part-1, record at byte ', 'parse'),
    (stream, 'picture', 'record number 3 of ', 'Unknown image file format'),
    (stream, 'payload', 'record number 3 of ', 'damaged'),
    (stream, 'label', 'record number 3 of ', 'its label 24 is not from 0 to 23'),
    (stream, 'unparsable', 'record number 3 of ', 'parse'),
]


def loader(source, training=True, **settings):
    """Nothing random about the pictures: only their order is drawn."""
    return ImageClassification(
        source, BATCH, training, image_size=16, crop='center', flip=False,
        num_classes=SIZE, **settings,
    )  # fmt: skip


def read(loader, steps, known=(), step=0):
    """Reads batches as the engine does: finds what is bad, opens anew; returns both."""
    known, batches = list(known), []
    while len(batches) < steps:
        now = step + len(batches)
        readers = Readers(known, now)
        try:
            opened = loader(Feed(step=now, seed=5, readers=readers))
            taken = opened.skip(0 if loader.training else now).take(steps - len(batches))
            for batch in taken.as_numpy_iterator():
                batches.append(batch)
            break
        except FAILURES:
            now = step + len(batches)
            found = readers.find(now, now)
            assert found, 'no example is to blame'
            known += found
            batches = batches if loader.training else []
    return batches, known


@pytest.mark.parametrize(('make', 'damage', 'place', 'problem'), CASES)
def test_one_bad_example_is_named_and_the_one_before_takes_its_place(
    tmp_path, make, damage, place, problem
):
    source, spoil = make(tmp_path / 'bad', damage)
    steps = 3 * SIZE // BATCH
    spoiled = loader(source)
    len(source)
    spoil()
    batches, bad = read(spoiled, steps)
    assert [one.index for one in bad] == [BAD]
    assert place in bad[0].place
    assert problem in bad[0].problem
    assert '{{' not in str(bad[0]) and '\n' not in str(bad[0])

    clean, _ = read(loader(make(tmp_path / 'clean')[0]), steps)
    image = {label: i for b in clean for label, i in zip(b['label'], b['image'], strict=True)}
    for got, expected in zip(batches, clean, strict=True):
        labels = np.where(expected['label'] == BAD, BAD - 1, expected['label'])
        np.testing.assert_array_equal(got['label'], labels)
        np.testing.assert_array_equal(got['image'], [image[label] for label in labels])

    # From any step on, and with the example known from the beginning.
    known = [dataclasses.replace(bad[0], step=0)]
    for step in (0, 2, 7):
        later, more = read(loader(source), 4, known, step)
        assert more == known
        for got, expected in zip(later, batches[step:], strict=False):
            np.testing.assert_array_equal(got['label'], expected['label'])


@pytest.mark.parametrize('make', [pictures, indexed, stream])
def test_an_evaluation_leaves_a_bad_example_out(tmp_path, make):
    source, _ = make(tmp_path / 'bad', 'picture')
    batches, bad = read(loader(source, training=False, bad_examples=1), SIZE // BATCH)
    assert [one.index for one in bad] == [BAD]
    labels = np.concatenate([batch['label'][batch['mask']] for batch in batches])
    assert sorted(labels) == [n for n in range(SIZE) if n != BAD]
    with pytest.raises(
        UserError, match=r'1 bad example, where dataloaders.image_c.* allows 0: .*Unknown image'
    ):
        read(loader(source, training=False), SIZE // BATCH)


@pytest.mark.parametrize('make', [pictures, indexed, stream])
def test_a_cache_is_filled_without_what_cannot_be_read(tmp_path, make):
    damage = 'gone' if make is pictures else 'payload'
    source, spoil = make(tmp_path / 'bad', damage)
    len(source)
    spoil()
    batches, bad = read(loader(source, cache=True), SIZE // BATCH)
    assert [(one.index, one.step) for one in bad] == [(BAD, 0)]
    labels = np.concatenate([batch['label'] for batch in batches])
    assert sorted(labels) == sorted([n for n in range(SIZE) if n != BAD] + [BAD - 1])


def test_two_damaged_records_in_a_row_and_the_first_of_all(tmp_path):
    source, _ = stream(tmp_path / 'bad', 'payload')
    flip(tmp_path / 'bad/part-1', int(record_offsets(str(tmp_path / 'bad/part-1'))[4]) + 30)
    flip(tmp_path / 'bad/part-0', 30)
    batches, bad = read(loader(source, shuffle=False), SIZE // BATCH)
    assert sorted(one.index for one in bad) == [0, BAD, BAD + 1]
    labels = [label for batch in batches for label in batch['label']]
    expected = [1, *range(1, BAD), BAD - 1, BAD - 1, *range(BAD + 2, SIZE)]
    assert sorted(labels) == sorted(expected)


@pytest.mark.parametrize('random_access', [True, False])
def test_a_damaged_length_loses_the_file_and_is_no_bad_example(tmp_path, random_access):
    source, _ = records(tmp_path / 'bad', None, random_access=random_access)
    flip(tmp_path / 'bad/part-1', int(record_offsets(str(tmp_path / 'bad/part-1'))[3]) + 2)
    with pytest.raises(UserError, match=r'part-1 is not a whole TFRecord file.*[Cc]opy or prepare'):
        read(loader(source), SIZE // BATCH)


def test_a_length_damaged_after_its_file_was_counted(tmp_path):
    """A stream counts once; a file that is damaged later is found while it is read."""
    source, _ = records(tmp_path / 'bad', None, random_access=False)
    len(source)
    flip(tmp_path / 'bad/part-1', int(record_offsets(str(tmp_path / 'bad/part-1'))[3]) + 2)
    with pytest.raises(UserError, match='part-1 is not a whole TFRecord file'):
        read(loader(source), SIZE // BATCH)


def test_a_remote_file_is_cut_around_a_damaged_record_too(tmp_path):
    stream(tmp_path / 'bad', 'payload')
    for number in range(3):
        name = f'part-{number}'
        tf.io.gfile.copy(str(tmp_path / 'bad' / name), f'ram://pond/{name}', overwrite=True)
    source = TFRecord('part-*', 'ram://pond', FEATURES, window=5, lanes=2)
    batches, bad = read(loader(source), SIZE // BATCH)
    assert bad[0].place == 'record number 3 of ram://pond/part-1'
    labels = np.concatenate([batch['label'] for batch in batches])
    assert sorted(labels) == sorted([n for n in range(SIZE) if n != BAD] + [BAD - 1])


@pytest.mark.parametrize(('form', 'mode'), [('JPEG', 'L'), ('JPEG', 'CMYK'), ('PNG', 'RGB')])
def test_an_odd_picture_is_no_bad_one(tmp_path, form, mode):
    source, _ = pictures(tmp_path / 'odd')
    (tmp_path / f'odd/train/{BAD}/it.jpg').write_bytes(encoded(BAD, form, mode))
    assert read(loader(source, bad_examples=0), SIZE // BATCH)[1] == []


@pytest.mark.parametrize(('label', 'problem'), [(4, 'is not from 0 to 3'), (-1, 'is not from 0')])
def test_a_label_out_of_range_is_bad(label, problem):
    images = np.zeros([5, 8, 8, 3], np.uint8)
    source = Arrays({'image': images, 'label': np.array([0, 1, label, 2, 3])}, list('abcd'))
    _, bad = read(ImageClassification(source, 5, True, image_size=8), 1)
    assert [one.index for one in bad] == [2]
    assert f'its label {label} {problem}' in bad[0].problem


def test_without_a_run_a_bad_example_is_an_error_as_ever(tmp_path):
    source, _ = pictures(tmp_path / 'bad', 'picture')
    with pytest.raises(tf.errors.InvalidArgumentError, match='Unknown image file format'):
        list(loader(source)(Feed()).take(SIZE // BATCH))


def test_nothing_is_added_to_the_graph_while_all_is_well(tmp_path):
    def ops(known):
        readers = Readers(known)
        opened = loader(pictures_)(Feed(readers=readers))
        graph = tf.compat.v1.GraphDef.FromString(opened._as_serialized_graph().numpy())
        return sum(len(f.node_def) for f in graph.library.function) + len(graph.node)

    pictures_, _ = pictures(tmp_path / 'bad', 'picture')
    _, bad = read(loader(pictures_), 6)
    plain = loader(pictures_)(Feed())
    graph = tf.compat.v1.GraphDef.FromString(plain._as_serialized_graph().numpy())
    count = sum(len(f.node_def) for f in graph.library.function) + len(graph.node)
    assert ops([]) == count
    assert ops([dataclasses.replace(b, step=0, seed=0) for b in bad]) > count


def test_a_negative_budget_is_refused():
    with pytest.raises(UserError, match='bad_examples is at least 0; -1 is not'):
        loader(Arrays({'image': np.zeros([1, 8, 8, 3], np.uint8), 'label': [0]}), bad_examples=-1)
