"""TFDS data sets: the bundled digits, and what a user is told about the others."""

import concurrent.futures
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.sources import tfds as module
from garden.sources.tfds import TFDS


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def connect(*arguments):
        raise AssertionError(f'a connection to {arguments[1:]} was tried')

    monkeypatch.setattr(socket.socket, 'connect', connect)


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp('tfds'))
    len(TFDS('digits', 'train', folder))  # Prepares it.
    return folder


def from_grey(image):
    """Returns the scan, values 0 to 16, that was stretched to 0 to 255."""
    return np.round(image * (16 / 255))


def scans(source):
    def scan(_, key):
        example = source.load(key)
        return tf.io.decode_png(example['image'])[:, :, 0], example['label']

    keys = source.evaluation_keys(Feed(), batch_size=1)
    images, labels = keys.map(scan).batch(len(source)).get_single_element()
    return from_grey(images.numpy()), labels


@pytest.mark.parametrize(
    ('split', 'part'),
    [
        ('train', slice(0, 1297)),
        ('test', slice(1297, 1797)),
        ('train[100:103]', slice(100, 103)),
        ('train[:2]+test[-3:]', [0, 1, 1794, 1795, 1796]),
    ],
)
def test_digits_are_scikit_learns_scans(data_dir, split, part):
    images, labels = scans(TFDS('digits', split, data_dir))
    np.testing.assert_array_equal(images, load_digits().images[part])
    np.testing.assert_array_equal(labels, load_digits().target[part])


def test_mixed_digits_are_all_scans_parted_at_random(data_dir):
    data = load_digits()
    numbers = range(len(data.target))
    parts = train_test_split(numbers, test_size=360, random_state=0, stratify=data.target)
    for split, part in zip(('mixed_train', 'mixed_test'), parts, strict=True):
        images, labels = scans(TFDS('digits', split, data_dir))
        np.testing.assert_array_equal(images, data.images[sorted(part)])
        np.testing.assert_array_equal(labels, data.target[sorted(part)])


def test_digits_are_an_ordinary_tfds_data_set(data_dir):
    import tensorflow_datasets as tfds

    example = next(iter(tfds.load('digits', split='test', data_dir=data_dir)))
    np.testing.assert_array_equal(
        from_grey(example['image'].numpy())[:, :, 0], load_digits().images[1297]
    )


def test_class_names_come_from_the_data_set(data_dir):
    assert TFDS('digits', 'train', data_dir).class_names == [str(digit) for digit in range(10)]


def test_features_can_be_renamed(data_dir):
    source = TFDS('digits', 'train', data_dir, rename={'target': 'label'})
    assert set(source.features) == {'image', 'target'}
    assert source.load(tf.constant(3, tf.int64))['target'] == 3
    with pytest.raises(UserError, match='has no feature digit; it has image, label'):
        TFDS('digits', 'train', data_dir, rename={'label': 'digit'}).features  # noqa: B018


def test_the_data_folder_is_taken_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path))
    assert len(TFDS('digits', 'test')) == 500
    assert os.path.isdir(tmp_path / 'digits')


def test_a_folder_that_cannot_be_written_sends_the_bundled_data_to_the_cache(tmp_path, own_cache):
    blocked = tmp_path / 'file'
    blocked.write_text('')
    assert len(TFDS('digits', 'test', str(blocked))) == 500
    assert os.path.isdir(own_cache / 'garden' / 'tfds' / 'digits')


def test_who_prepares_second_uses_what_is_there(tmp_path):
    assert len(TFDS('digits', 'train', str(tmp_path))) == 1297
    before = (tmp_path / 'digits' / '1.1.0' / 'features.json').stat()
    assert module._prepared('digits', str(tmp_path))
    assert (tmp_path / 'digits' / '1.1.0' / 'features.json').stat() == before
    assert os.listdir(tmp_path) == ['digits'], 'nothing is left behind'


def test_an_embedded_data_set_of_an_earlier_version_is_prepared_anew(tmp_path):
    whole = TFDS('digits', 'mixed_test', str(tmp_path))
    assert len(whole) == 360
    (tmp_path / 'digits/1.1.0').rename(tmp_path / 'digits/1.0.0')
    description = tmp_path / 'digits/1.0.0/dataset_info.json'
    description.write_text(description.read_text().replace('1.1.0', '1.0.0'))
    assert len(TFDS('digits', 'mixed_test', str(tmp_path))) == 360
    assert sorted(os.listdir(tmp_path / 'digits')) == ['1.0.0', '1.1.0']


@pytest.mark.slow
def test_two_processes_that_prepare_at_the_same_time_both_succeed(tmp_path):
    program = (
        'import sys; from garden.sources.tfds import TFDS; '
        'print(len(TFDS("digits", "train", sys.argv[1])))'
    )
    command = [sys.executable, '-c', program, str(tmp_path)]

    def start(_):
        return subprocess.run(command, capture_output=True, text=True, check=False)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(start, range(2)))
    assert [process.stdout.split()[-1:] for process in ended] == [['1297']] * 2, ended
    assert os.listdir(tmp_path) == ['digits']


def test_a_data_set_that_is_not_prepared_is_one_line_that_says_what_to_do(tmp_path):
    source = TFDS('imagenet2012', 'train', str(tmp_path), offline_sibling='toy_mini')
    with pytest.raises(UserError) as error:
        len(source)
    said = str(error.value)
    assert '\n' not in said
    for part in (
        'imagenet2012 (split train) is not prepared',
        f'nothing found in {tmp_path}',
        f'launch.py prepare imagenet2012 --source=FOLDER --output={tmp_path};',
        '--experiment=toy_mini',
    ):
        assert part in said


def test_a_data_set_that_tfds_prepares_by_hand_says_what_tfds_wants(tmp_path):
    with pytest.raises(UserError) as error:
        len(TFDS('imagenet2012_real', 'validation', str(tmp_path)))
    for part in ('.download_and_prepare(', 'manual_dir="DIR"', 'ILSVRC2012_img_val.tar'):
        assert part in str(error.value)


def test_a_data_set_without_manual_download_needs_no_folder_for_it(tmp_path):
    with pytest.raises(UserError, match=r'download_and_prepare\(\)\'\.$'):
        len(TFDS('cifar10', 'train', str(tmp_path)))


@pytest.mark.parametrize(('name', 'meant'), [('imagnet2012', 'imagenet2012'), ('digts', 'digits')])
def test_a_misspelt_data_set_gets_a_suggestion(tmp_path, name, meant):
    with pytest.raises(UserError, match=rf"no TFDS data set '{name}'.*Did you mean .*{meant}"):
        len(TFDS(name, 'train', str(tmp_path)))


def test_a_misspelt_split_gets_a_suggestion(data_dir):
    with pytest.raises(UserError, match=r"no split 'trian.:5.'; it has .*Did you mean train"):
        len(TFDS('digits', 'trian[:5]', data_dir))


@pytest.mark.slow
def test_importing_the_module_does_not_import_tfds():
    program = 'import sys, garden.sources.tfds; print("tensorflow_datasets" in sys.modules)'
    command = [sys.executable, '-c', program]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ended.stdout.split()[-1] == 'False'
