"""Single signals: what comes with the dependencies, what a file holds, what is made up."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy.io import wavfile

from garden.core.errors import UserError
from garden.sources.melody import Melody
from garden.sources.shapes import Torus
from garden.sources.signals import Photograph, PictureFile, PointCloud, SoundFile

FIRST = tf.constant(0, tf.int64)


@pytest.mark.parametrize('name', ['china', 'flower'])
def test_the_photographs_of_scikit_learn(name):
    source = Photograph(name)
    assert len(source) == 1
    image = source.load(FIRST)['image']
    assert image.shape == (427, 640, 3)
    assert source.features['image'].dtype == image.dtype == tf.uint8
    assert 40 < np.std(image) < 100


def test_nothing_is_read_before_it_is_needed():
    PictureFile('there is no such file')


def test_a_picture_in_a_file(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    found = PictureFile(str(tmp_path / 'a.png')).load(FIRST)['image']
    np.testing.assert_array_equal(found, pixels)
    Image.fromarray(pixels[..., 0]).save(tmp_path / 'grey.png')
    grey = PictureFile(str(tmp_path / 'grey.png')).load(FIRST)['image']
    np.testing.assert_array_equal(grey, pixels[..., :1].repeat(3, -1))


@pytest.mark.parametrize(('dtype', 'zero'), [(np.int16, 0), (np.uint8, 128), (np.float32, 0)])
def test_a_sound_in_a_file(tmp_path, dtype, zero):
    left = np.array([0, 10, -20, 40])
    stereo = np.stack([left, left + 2], 1) + zero
    wavfile.write(tmp_path / 'a.wav', 8000, stereo.astype(dtype))
    source = SoundFile(str(tmp_path / 'a.wav'))
    np.testing.assert_allclose(source.load(FIRST)['audio'], left + 1)
    assert source.features['audio'].dtype == tf.float32


def test_a_surface_in_a_file(tmp_path):
    rows = np.random.default_rng(0).normal(size=(9, 6)).astype(np.float32)
    np.savetxt(tmp_path / 'a.xyz', rows, fmt='%.9g')
    source = PointCloud(str(tmp_path / 'a.xyz'))
    assert len(source) == 9
    example = source.load(tf.constant(4, tf.int64))
    np.testing.assert_allclose(example['point'], rows[4, :3])
    np.testing.assert_allclose(example['normal'], rows[4, 3:])


@pytest.mark.parametrize('source', [PictureFile, SoundFile, PointCloud])
def test_a_file_that_cannot_be_read_is_named_in_one_line(source, tmp_path):
    path = tmp_path / 'text'
    path.write_text('nothing of the kind\n')
    for wrong in (path, tmp_path / 'missing'):
        with pytest.raises(UserError, match=f'{wrong} cannot be read') as error:
            len(source(str(wrong)))
        assert '\n' not in str(error.value)
    with pytest.raises(UserError, match='path = '):
        len(source())


def test_points_without_normals_are_refused(tmp_path):
    (tmp_path / 'a.xyz').write_text('1 2 3\n4 5 6\n')
    with pytest.raises(UserError, match='six'):
        len(PointCloud(str(tmp_path / 'a.xyz')))


def test_a_torus_is_covered_evenly():
    source = Torus(points=5000, radius=2.0, tube=0.5)
    stored = source.load(tf.range(5000))
    point, normal = stored['point'].numpy(), stored['normal'].numpy()
    middle = point - 0.5 * normal
    np.testing.assert_allclose(np.linalg.norm(middle, axis=1), 2.0, atol=1e-5)
    np.testing.assert_allclose(middle[:, 2], 0, atol=1e-6)
    # Pappus: the outer half has the area 2 pi (pi R + 2 r) r, of 4 pi^2 R r in all.
    outer = (np.hypot(point[:, 0], point[:, 1]) > 2.0).mean()
    assert outer == pytest.approx(0.5 + 0.5 / (np.pi * 2.0), abs=0.02)


def test_a_melody_is_the_same_each_time_and_has_its_pitches():
    sound = Melody(seconds=4.0, rate=8000).load(FIRST)['audio'].numpy()
    assert sound.shape == (32000,)
    np.testing.assert_array_equal(sound, Melody(4.0, 8000).load(FIRST)['audio'])
    spectrum = np.abs(np.fft.rfft(sound[: 8000 // 4]))  # The first quarter of a second: G2.
    assert np.argmax(spectrum) * 4 == pytest.approx(98, abs=4)


@pytest.mark.parametrize(
    ('make', 'message'),
    [(lambda: Photograph('flowers'), 'Did you mean flower'), (lambda: Torus(tube=0.8), 'radius')],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(UserError, match=message):
        make()
