"""ImageNet from archives and folders, read back by everything that should read it."""

import hashlib
import io
import json

import numpy as np
import pytest
from PIL import Image

from garden.cli.launch import main
from garden.core.feed import Feed
from garden.dataloaders.image_classification import ImageClassification
from garden.sources.tfds import TFDS
from garden.sources.tfrecord import TFRecord
from tests.prepare.data import (
    CLASSES,
    archive,
    archive_of_archives,
    in_folder,
    picture,
    train_files,
)

# The ground truth of the first five validation pictures, as any published list has it.
TRUTH = (65, 970, 230, 809, 516)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path_factory.mktemp('cache')))


@pytest.fixture(scope='module')
def archives(tmp_path_factory):
    folder = tmp_path_factory.mktemp('archives')
    (folder / 'ILSVRC2012_img_train.tar').write_bytes(archive_of_archives(train_files()))
    flat = {f'ILSVRC2012_val_{n:08}.JPEG': picture(n) for n in range(1, 6)}
    (folder / 'ILSVRC2012_img_val.tar').write_bytes(archive(flat))
    return folder


@pytest.fixture(scope='module')
def prepared(archives, tmp_path_factory):
    output = tmp_path_factory.mktemp('prepared')
    assert prepare(archives, output) == 0
    return output


def prepare(source, output, *flags):
    return main(['prepare', 'imagenet2012', f'--source={source}', f'--output={output}', *flags])


def content(output):
    """Returns all files below a folder and their bytes, but for the indices that readers leave."""
    return {
        path.relative_to(output).as_posix(): path.read_bytes()
        for path in output.rglob('*')
        if path.is_file() and path.suffix != '.idx'
    }


def examples(source):
    keys = source.evaluation_keys(Feed(), batch_size=1)
    return [source.load(key) for _, key in keys]


def expected():
    return {
        name.split('/')[1].encode(): (data, CLASSES.index(name.split('/')[0]))
        for name, data in train_files().items()
    }


def stored(source):
    return {
        example['file_name'].numpy(): (example['image'].numpy(), int(example['label']))
        for example in examples(source)
    }


def test_the_tfds_source_reads_the_bytes_as_they_were(prepared):
    source = TFDS('imagenet2012', 'train', str(prepared))
    assert stored(source) == expected()
    assert len(source.class_names) == 1000
    assert source.class_names[:3] == list(CLASSES)


def test_the_tfrecord_source_reads_the_bytes_as_they_were(prepared):
    features = {
        'image': ('image', 'string', ()),
        'label': ('label', 'int64', ()),
        'file_name': ('file_name', 'string', ()),
    }
    source = TFRecord('imagenet2012/5.1.0/imagenet2012-train*', str(prepared), features)
    assert stored(source) == expected()


def test_tfds_itself_reads_them(prepared):
    import tensorflow_datasets as tfds

    data, info = tfds.load('imagenet2012', split='train', data_dir=str(prepared), with_info=True)
    found = {e['file_name']: (e['image'].shape, e['label']) for e in data.as_numpy_iterator()}
    assert found == {name: ((30, 40, 3), label) for name, (_, label) in expected().items()}
    assert info.splits['validation'].num_examples == 5
    assert info.supervised_keys == ('image', 'label')


def test_flat_validation_pictures_get_the_labels_of_the_ground_truth(prepared):
    source = TFDS('imagenet2012', 'validation', str(prepared))
    labels = {int(name[-9:-5]): label for name, (_, label) in stored(source).items()}
    assert [labels[n] for n in range(1, 6)] == list(TRUTH)


def test_the_loader_decodes_the_odd_ones(prepared):
    """A PNG named .JPEG, a CMYK JPEG and a grey one become the pictures that PIL sees."""
    loader = ImageClassification(
        TFDS('imagenet2012', 'train', str(prepared)),
        batch_size=18,
        training=False,
        image_size=30,
        mean=(0, 0, 0),
        std=(1, 1, 1),
    )
    (batch,) = loader(Feed())
    odd = train_files()
    for key in ('n01440764/n01440764_1', 'n01443537/n01443537_2', 'n01484850/n01484850_3'):
        with Image.open(io.BytesIO(odd[f'{key}.JPEG'])) as opened:
            wanted = np.asarray(opened.convert('RGB'), np.float32)[:, 5:35]
        distance = np.abs(batch['image'].numpy() * 255 - wanted).mean(axis=(1, 2, 3))
        assert distance.min() < 4, key


def test_a_folder_and_the_archives_come_to_the_same_files(prepared, tmp_path, capsys):
    files = {f'train/{name}': data for name, data in train_files().items()}
    names = (prepared / 'imagenet2012/5.1.0/label.labels.txt').read_text().split()
    for n, label in enumerate(TRUTH, 1):
        files[f'val/{names[label]}/ILSVRC2012_val_{n:08}.JPEG'] = picture(n)
    in_folder(tmp_path / 'source', files)
    assert prepare(tmp_path / 'source', tmp_path / 'out') == 0
    assert content(tmp_path / 'out') == content(prepared)
    said = capsys.readouterr().out
    assert 'n01440764_1.JPEG is PNG named .JPEG' in said
    assert 'n01443537_2.JPEG is CMYK' in said
    assert '18 pictures; ILSVRC 2012 has 1,281,167' in said


def test_workers_and_shards_change_no_byte_of_the_row(archives, prepared, tmp_path):
    flags = ('--split=train', '--shards=4')
    assert prepare(archives, tmp_path / 'one', *flags, '--workers=1') == 0
    assert prepare(archives, tmp_path / 'many', *flags, '--workers=4') == 0
    assert content(tmp_path / 'one') == content(tmp_path / 'many')
    row = [p.read_bytes() for p in sorted(tmp_path.glob('one/*/*/imagenet2012-train.tfrecord-*'))]
    assert len(row) == 4
    (whole,) = prepared.glob('*/*/imagenet2012-train.tfrecord-*')
    assert b''.join(row) == whole.read_bytes()


def test_the_seed_draws_the_order(archives, prepared, tmp_path):
    """Classes are mixed, and another seed mixes them otherwise."""

    def names(output):
        source = TFDS('imagenet2012', 'train', str(output))
        return [example['file_name'].numpy() for example in examples(source)]

    assert prepare(archives, tmp_path, '--split=train', '--seed=1') == 0
    first, second = names(prepared), names(tmp_path)
    assert sorted(first) == sorted(second)
    assert len({tuple(first), tuple(second), tuple(sorted(first))}) == 3


def test_the_manifest_says_what_is_there(prepared):
    folder = prepared / 'imagenet2012' / '5.1.0'
    manifest = json.loads((folder / 'train.manifest.json').read_text())
    (shard,) = manifest['shards']
    data = (folder / shard['name']).read_bytes()
    assert shard['sha256'] == hashlib.sha256(data).hexdigest()
    assert shard['size'] == len(data)
    assert shard['examples'] == 18
    assert shard['remarks'] == [
        ['n01440764_1.JPEG', 'PNG named .JPEG'],
        ['n01443537_2.JPEG', 'CMYK'],
    ]


def test_a_validation_picture_in_the_wrong_folder_is_refused(tmp_path, capsys):
    in_folder(tmp_path, {'val/n01440764/ILSVRC2012_val_00000001.JPEG': picture(1)})
    assert prepare(tmp_path, tmp_path / 'out') == 2
    assert 'lies in the folder of another class; its own is n01751748' in capsys.readouterr().err
    assert not (tmp_path / 'out').exists()


def test_the_numbers_of_the_devkit_are_no_labels(archives, tmp_path, capsys):
    (tmp_path / 'truth.txt').write_text('490\n361\n')
    assert prepare(archives, tmp_path / 'out', f'--labels={tmp_path / "truth.txt"}') == 2
    assert "ILSVRC's own ids" in capsys.readouterr().err


def test_one_archive_can_be_given_alone(archives, prepared, tmp_path):
    assert prepare(archives / 'ILSVRC2012_img_val.tar', tmp_path) == 0
    assert len(TFDS('imagenet2012', 'validation', str(tmp_path))) == 5
    assert prepare(archives / 'ILSVRC2012_img_train.tar', tmp_path) == 0
    assert content(tmp_path) == content(prepared), 'one after the other is as both at once'
