"""Pictures in a range of values, for autoencoders and generators."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.images import Images
from garden.sources.memory import Arrays


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def first(loader):
    return next(loader(Feed()).as_numpy_iterator())


def test_black_is_low_and_white_is_high():
    pictures = np.zeros([4, 8, 8, 1], np.uint8)
    pictures[:, 4:] = 255
    loader = Images(Arrays({'image': pictures}), 4, True, 8, channels=1, low=-1.0)
    images = first(loader)['image']
    assert images.shape == (4, 8, 8, 1)
    np.testing.assert_allclose(images[:, :4], -1, atol=1e-6)
    np.testing.assert_allclose(images[:, 4:], 1, atol=1e-6)


def test_pictures_drawn_from_a_batch_are_those_of_the_source():
    pictures = noise(3, 8, 8, 3)
    loader = Images(Arrays({'image': pictures}), 3, False, 8, low=-1.0)
    np.testing.assert_array_equal(loader.denormalize(first(loader)['image']), pictures)


def test_grey_is_the_luma_of_a_colour():
    picture = noise(1, 8, 8, 3)
    images = first(Images(Arrays({'image': picture}), 1, False, 8, channels=1, high=255.0))['image']
    luma = np.asarray(Image.fromarray(picture[0]).convert('L'))
    np.testing.assert_allclose(images[0, :, :, 0], luma, atol=1)


@pytest.mark.parametrize('fit', ['stretch', 'crop'])
def test_a_picture_is_made_square(fit):
    picture = noise(1, 12, 16, 3)
    loader = Images(Arrays({'image': picture}), 1, False, 6, fit=fit, load_size=6, high=255.0)
    size = (6, 6) if fit == 'stretch' else (8, 6)
    resized = Image.fromarray(picture[0]).resize(size, Image.Resampling.BILINEAR)
    expected = np.asarray(resized).astype(float)
    expected = expected[:, 1:7] if fit == 'crop' else expected
    np.testing.assert_allclose(first(loader)['image'][0], expected, atol=1.5)


def test_training_crops_fall_anywhere_and_are_mirrored():
    row = np.arange(10, dtype=np.uint8)
    picture = np.broadcast_to(row[None, :, None], [10, 10, 1])
    source = Arrays({'image': np.stack([picture] * 200)})
    loader = Images(source, 200, True, 8, channels=1, load_size=10, flip=True, high=255.0)
    rows = np.round(first(loader)['image'][:, 0, :, 0]).astype(int)
    forwards = {tuple(range(left, left + 8)) for left in range(3)}
    assert {*map(tuple, rows)} == forwards | {tuple(reversed(r)) for r in forwards}


def test_labels_come_with_the_images_if_asked():
    source = Arrays({'image': noise(4, 8, 8, 1), 'label': np.arange(4)})
    assert 'label' not in first(Images(source, 4, False, 8))
    labels = first(Images(source, 4, False, 8, labels=True, num_classes=4))['label']
    np.testing.assert_array_equal(labels, np.arange(4))
    with pytest.raises(tf.errors.InvalidArgumentError, match='not from 0 to 2'):
        first(Images(source, 4, False, 8, labels=True, num_classes=3))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        ({'fit': 'stretched'}, r"no fit 'stretched'.*Did you mean stretch"),
        ({'channels': 4}, '1 or 3 channels, not 4'),
        ({'low': 1.0}, 'less than high'),
        ({'load_size': 4}, 'at most load_size'),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        Images(Arrays({'image': noise(2, 8, 8, 1)}), 2, True, 8, **settings)


@pytest.mark.parametrize(('fit', 'channels'), [('stretch', 3), ('crop', 1)])
def test_a_picture_by_itself_is_read_as_an_evaluation_reads_it(fit, channels):
    picture = noise(1, 12, 16, 3)
    source = Arrays({'image': picture})
    loader = Images(source, 1, False, 6, channels=channels, fit=fit, load_size=8, low=-1.0)
    encoded = tf.io.encode_png(picture[0])
    np.testing.assert_array_equal(loader.read(encoded), first(loader)['image'][0])


def test_looks_are_the_same_in_a_graph():
    loader = Images(Arrays({'image': noise(1, 8, 8, 3)}), 1, False, 8, low=-1.0)
    images = np.linspace(-1.2, 1.2, 600, dtype=np.float32).reshape(2, 10, 10, 3)
    drawn = tf.function(loader.looks)(images).numpy()
    assert drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, loader.denormalize(images))
