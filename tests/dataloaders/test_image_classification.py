"""Image classification: from files to normalised batches."""

import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from sklearn.datasets import load_digits

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.image_classification import ImageClassification
from garden.sources.files import ImageFolder
from garden.sources.memory import Arrays
from garden.sources.synthetic import Synthetic
from garden.sources.tfds import TFDS

MEAN = np.array([0.485, 0.456, 0.406])
STD = np.array([0.229, 0.224, 0.225])


def picture(height, width):
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (6, 8, 3)).astype(np.float32)
    return np.clip(cv2.resize(coarse, (width, height)), 0, 255).astype(np.uint8)


def jpeg(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'JPEG', quality=95)
    return file.getvalue()


def copies(image, count=8):
    """A source of the same image again and again."""
    return Arrays({'image': np.array([image] * count, object), 'label': np.arange(count)})


def first(loader, **place):
    return next(loader(Feed(**place)).as_numpy_iterator())


def test_batches_are_what_the_task_expects():
    for training in (True, False):
        loader = ImageClassification(Synthetic(20, classes=7), 4, training, image_size=32)
        spec = loader(Feed()).element_spec
        assert spec['image'] == tf.TensorSpec([4, 32, 32, 3], tf.float32)
        assert spec['label'] == tf.TensorSpec([4], tf.int32)
        assert np.isfinite(first(loader)['image']).all()


def test_equal_images_of_a_batch_are_cropped_and_flipped_each_on_its_own():
    loader = ImageClassification(copies(jpeg(picture(60, 80))), 8, True, image_size=16)
    images = first(loader)['image']
    assert len(np.unique(images.reshape(8, -1), axis=0)) == 8


def test_the_evaluation_image_is_the_centre_224_of_256():
    original = jpeg(picture(375, 500))
    loader = ImageClassification(copies(original, 3), 2, False, image_size=224, eval_resize=256)
    decoded = np.array(Image.open(io.BytesIO(original))).astype(np.float32)
    centre = cv2.resize(decoded, (341, 256))[16:240, 59:283]
    batch = first(loader)
    np.testing.assert_allclose(batch['image'][0], (centre / 255 - MEAN) / STD, atol=1e-4)
    np.testing.assert_array_equal(batch['image'][0], batch['image'][1])


def test_the_evaluation_counts_the_last_example():
    loader = ImageClassification(Synthetic(21), 8, False, image_size=16)
    masks = [batch['mask'] for batch in loader(Feed()).as_numpy_iterator()]
    assert [mask.sum() for mask in masks] == [8, 8, 5]
    assert [mask.shape for mask in masks] == [(8,)] * 3


def test_lighting_neither_clips_nor_quantises():
    white = np.full([4, 16, 16, 3], 255, np.uint8)
    source = Arrays({'image': white, 'label': np.zeros(4, int)})
    loader = ImageClassification(source, 4, True, image_size=16, lighting=0.5, crop='center')
    values = first(loader)['image'] * STD + MEAN
    assert values.max() > 1.001
    levels = values[:, 0, 0] * 255
    assert np.abs(levels - np.round(levels)).max() > 0.01
    assert len(np.unique(levels, axis=0)) == 4, 'each image has a light of its own'


@pytest.mark.parametrize('training', [True, False])
def test_images_may_be_normalised_on_the_device(training):
    def batch(on_device):
        loader = ImageClassification(
            Synthetic(8),
            4,
            training,
            image_size=16,
            augment=[lambda image, seed: 1 - image],
            lighting=0.5,
            on_device=on_device,
        )
        batch = first(loader)
        return batch, {name: np.asarray(value) for name, value in loader.unpack(batch).items()}

    (sent, unpacked), (_, expected) = batch(True), batch(False)
    assert sent['image'].dtype == np.uint8
    assert unpacked.keys() == expected.keys()
    half_a_level = 0.51 / 255 / np.array(STD)
    assert np.all(np.abs(unpacked['image'] - expected['image']) < half_a_level)
    np.testing.assert_array_equal(unpacked['label'], expected['label'])


def test_augmentations_are_applied_in_turn_with_seeds_of_their_own():
    seeds = []

    def add(image, seed):
        assert image.shape == (16, 16, 3)
        seeds.append(seed)
        return image + tf.random.stateless_uniform([], seed)

    black = Arrays({'image': np.zeros([4, 16, 16, 3], np.uint8), 'label': np.zeros(4, int)})
    loader = ImageClassification(
        black, 4, True, image_size=16, augment=[add, lambda image, seed: image * 2, add]
    )
    values = (first(loader)['image'] * STD + MEAN)[:, 0, 0, 0]
    assert len(seeds) == 2
    assert len(np.unique(values)) == 4
    assert values.min() > 0 and values.max() < 3


@pytest.mark.parametrize('crop', ['inception', 'affine', 'center'])
def test_training_images_are_functions_of_seed_and_step(crop):
    source = copies(jpeg(picture(60, 80)))
    loader = ImageClassification(
        source, 4, True, image_size=16, crop=crop, shift=0.1, zoom=0.1, rotation=10, lighting=0.1
    )
    np.testing.assert_array_equal(
        first(loader, seed=1, step=3)['image'], first(loader, seed=1, step=3)['image']
    )
    assert not np.array_equal(first(loader, seed=1)['image'], first(loader, seed=2)['image'])


def test_odd_files_of_a_folder_become_rgb(tmp_path):
    """Grey and CMYK pictures, and a PNG that is called .JPEG: ImageNet has all three."""
    (tmp_path / 'val' / 'cat').mkdir(parents=True)
    image = Image.fromarray(picture(40, 40))
    image.convert('L').save(tmp_path / 'val' / 'cat' / 'a.JPEG')
    image.convert('CMYK').save(tmp_path / 'val' / 'cat' / 'b.JPEG')
    image.save(tmp_path / 'val' / 'cat' / 'c.JPEG', 'PNG')
    source = ImageFolder(str(tmp_path), 'val')
    for training in (False, True):
        images = first(ImageClassification(source, 3, training, image_size=32))['image']
        assert images.shape == (3, 32, 32, 3)
    loader = ImageClassification(source, 3, False, image_size=40)
    grey, cmyk, png = loader.denormalize(first(loader)['image'])
    assert (grey[:, :, 0] == grey[:, :, 1]).all()
    assert np.abs(cmyk.astype(int) - np.array(image)).mean() < 6
    np.testing.assert_array_equal(png, image)


def test_digits_take_the_same_way(tmp_path):
    source = TFDS('digits', 'test', str(tmp_path))
    loader = ImageClassification(source, 100, False, image_size=8, mean=[0] * 3, std=[1] * 3)
    batches = list(loader(Feed()).as_numpy_iterator())
    images = np.concatenate([batch['image'] for batch in batches])
    labels = np.concatenate([batch['label'] for batch in batches])
    np.testing.assert_array_equal(labels, load_digits().target[1297:])
    scans = np.repeat(load_digits().images[1297:, :, :, None], 3, 3)
    np.testing.assert_allclose(images * 16, scans, atol=0.04)
    assert loader.num_classes == 10


def test_denormalize_undoes_normalize():
    source = copies(jpeg(picture(32, 32)), 2)
    loader = ImageClassification(source, 2, False, image_size=32)
    images = loader.denormalize(first(loader)['image'])
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(images[0], Image.open(io.BytesIO(jpeg(picture(32, 32)))))


@pytest.mark.parametrize('dtype', [np.int64, np.int32, np.uint8])
def test_arrays_of_pixels_and_any_integer_labels_will_do(dtype):
    source = Arrays(
        {'image': np.zeros([4, 8, 8, 1], np.uint8), 'label': np.arange(4).astype(dtype)}
    )
    labels = first(ImageClassification(source, 4, False, image_size=8))['label']
    assert labels.tolist() == [0, 1, 2, 3]


def test_mistakes_are_one_line():
    with pytest.raises(UserError, match=r"no crop 'incepton'.*Did you mean inception"):
        ImageClassification(Synthetic(), 4, True, crop='incepton')
    with pytest.raises(UserError, match=r'eval_resize \(200\) is smaller than image_size \(224\)'):
        ImageClassification(Synthetic(), 4, True, eval_resize=200)
    floats = Arrays({'image': np.zeros([4, 8, 8, 3], np.float32), 'label': np.zeros(4, int)})
    with pytest.raises(
        UserError, match=r'\(string or uint8\[None, None, None\]\).*is float32\[8, 8, 3'
    ):
        ImageClassification(floats, 4, True)(Feed())
