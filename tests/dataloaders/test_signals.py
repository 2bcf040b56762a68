"""Points of one signal: pictures, sounds, surfaces."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from scipy import ndimage

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.dataloaders.audio import Audio
from garden.dataloaders.oriented_points import OrientedPoints
from garden.dataloaders.signal import coordinates
from garden.dataloaders.single_image import SingleImage
from garden.sources.memory import Arrays
from garden.sources.shapes import Torus


def picture(size=8, channels=1, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (1, size, size, channels), np.uint8)
    return Arrays({'image': pixels}), pixels[0] / 127.5 - 1


def batches(dataset, count=1):
    return list(dataset.take(count).as_numpy_iterator())


def test_rows_and_columns_go_from_minus_one_to_one():
    points = coordinates((2, 3))
    np.testing.assert_allclose(
        points, [[-1, -1], [-1, 0], [-1, 1], [1, -1], [1, 0], [1, 1]], atol=1e-7
    )
    assert points.dtype == np.float32
    np.testing.assert_allclose(coordinates((3,), 100.0), [[-100], [0], [100]])


@pytest.mark.parametrize('channels', [1, 3])
def test_a_batch_is_all_pixels_of_the_picture(channels):
    source, pixels = picture(channels=channels)
    data = SingleImage(source, 8, channels=channels)
    first, second = batches(data.training(Feed()), 2)
    np.testing.assert_allclose(first['value'].reshape(8, 8, channels), pixels, atol=1e-2)
    np.testing.assert_array_equal(first['coordinates'], coordinates((8, 8)))
    tf.nest.map_structure(np.testing.assert_array_equal, first, second)


def test_the_central_square_is_resized_as_by_pillow():
    pixels = np.random.default_rng(0).integers(0, 256, (1, 12, 20, 3), np.uint8)
    data = SingleImage(Arrays({'image': pixels}), 6, channels=3)
    resized = Image.fromarray(pixels[0]).resize((10, 6), Image.Resampling.BILINEAR)
    expected = np.asarray(resized)[:, 2:8] / 127.5 - 1
    np.testing.assert_allclose(data.grid['value'].reshape(6, 6, 3), expected, atol=0.012)


def test_derivatives_are_by_the_coordinates():
    """Of a picture that is quadratic in them, away from the border: by its formula."""
    x, y = np.moveaxis(coordinates((64, 64)).reshape(64, 64, 2).astype(np.float64), -1, 0)
    planes = [0.4 * x - 0.3 * y, 0.5 * x**2 - 0.4, 0.3 * x * y]
    pixels = np.round((np.stack(planes, -1) + 1) * 127.5).astype(np.uint8)
    data = SingleImage(Arrays({'image': pixels[None]}), 64, channels=3)
    inside = (slice(20, 40), slice(20, 40))
    slopes = [
        [ndimage.uniform_filter(s, 8) for s in np.moveaxis(plane, -1, 0)]
        for plane in np.moveaxis(data.grid['gradient'].reshape(64, 64, 3, 2), 2, 0)
    ]
    expected = [[0.4 + 0 * x, -0.3 + 0 * x], [x, 0 * x], [0.3 * y, 0.3 * x]]
    for found, true in zip(slopes, expected, strict=True):
        for axis in (0, 1):
            # Rounding to 256 levels is a noise that the mean over a window mostly removes.
            smooth = ndimage.uniform_filter(true[axis], 8)
            np.testing.assert_allclose(found[axis][inside], smooth[inside], atol=0.03)
    curvature = data.grid['laplacian'].reshape(64, 64, 3)[inside].mean((0, 1))
    np.testing.assert_allclose(curvature, [0, 1, 0], atol=0.3)


def test_a_blend_has_the_mean_of_both_gradients():
    (one, _), (two, _) = picture(seed=1), picture(seed=2)
    alone = [SingleImage(source, 8).grid for source in (one, two)]
    both = SingleImage(one, 8, blend=two).grid
    for name in ('value', 'gradient', 'laplacian'):
        mean = (alone[0][name] + alone[1][name]) / 2
        np.testing.assert_allclose(both[name], mean, atol=1e-4)


def test_a_part_of_the_pixels_is_known_the_same_in_each_run():
    source, _ = picture(20)
    known = SingleImage(source, 20, known=0.3).grid['known']
    assert known.shape == (400, 1)
    assert known.sum() == 120
    assert set(np.unique(known)) == {0.0, 1.0}
    np.testing.assert_array_equal(known, SingleImage(source, 20, known=0.3).grid['known'])
    other = SingleImage(source, 20, known=0.3, known_seed=1).grid['known']
    assert (other != known).any()


@pytest.mark.parametrize('batch_size', [None, 16])
def test_replicas_and_hosts_share_a_step(batch_size):
    source, _ = picture()
    data = SingleImage(source, 8, batch_size=batch_size)
    alone = batches(data.training(Feed(seed=5)), 3)
    feed = Feed(seed=5, replicas=4, pipelines=2)
    hosts = [batches(data.training(dataclasses.replace(feed, pipeline=k)), 6) for k in (0, 1)]
    for step in range(3):
        parts = [host[2 * step + r]['coordinates'] for host in hosts for r in (0, 1)]
        np.testing.assert_array_equal(np.concatenate(parts), alone[step]['coordinates'])


def test_smaller_batches_see_each_pixel_once_in_a_pass_of_an_order_of_its_own():
    source, _ = picture()
    data = SingleImage(source, 8, batch_size=16)
    drawn = [batch['coordinates'] for batch in batches(data.training(Feed(seed=1)), 8)]
    passes = [np.concatenate(drawn[:4]), np.concatenate(drawn[4:])]
    everything = {tuple(point) for point in coordinates((8, 8))}
    for points in passes:
        assert {tuple(point) for point in points} == everything
    assert (passes[0] != passes[1]).any()
    (later,) = batches(data.training(Feed(seed=1, step=5)))
    np.testing.assert_array_equal(later['coordinates'], drawn[5])


@pytest.mark.parametrize('replicas', [1, 2])
def test_an_evaluation_sees_each_point_once_in_order(replicas):
    source, _ = picture()
    data = SingleImage(source, 8, eval_batch_size=24)
    dataset = data.evaluation(Feed(replicas=replicas))
    assert int(dataset.cardinality()) == 3 * replicas
    found = list(dataset.as_numpy_iterator())
    assert {len(batch['mask']) for batch in found} == {24 // replicas}
    points = np.concatenate([batch['coordinates'][batch['mask']] for batch in found])
    np.testing.assert_array_equal(points, coordinates((8, 8)))


def test_hosts_evaluate_different_points():
    source, _ = picture()
    data = SingleImage(source, 8, eval_batch_size=24)
    alone = list(data.evaluation(Feed()).as_numpy_iterator())
    feed = Feed(replicas=2, pipelines=2)
    hosts = [data.evaluation(dataclasses.replace(feed, pipeline=k)) for k in (0, 1)]
    for whole, *parts in zip(alone, *(h.as_numpy_iterator() for h in hosts), strict=True):
        for name, column in whole.items():
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), column)


def test_a_sound_is_as_loud_as_can_be_over_its_interval():
    sound = np.array([[0.0, 0.1, -0.2, 0.1, 0.05, 3.0]], np.float32)
    data = Audio(Arrays({'audio': sound}), samples=5, span=10.0)
    assert data.shape == (5,)
    (batch,) = batches(data.training(Feed()))
    np.testing.assert_allclose(batch['value'][:, 0], [0, 0.5, -1, 0.5, 0.25])
    np.testing.assert_allclose(batch['coordinates'][:, 0], [-10, -5, 0, 5, 10])


def test_silence_is_refused():
    with pytest.raises(UserError, match='nothing to hear'):
        Audio(Arrays({'audio': np.zeros([1, 4], np.float32)})).training(Feed())


@pytest.fixture(scope='module')
def torus():
    return OrientedPoints(Torus(radius=0.35, tube=0.15), batch_size=64, fill=0.8)


def torus_distance(points, radius=0.7 * 0.8, tube=0.3 * 0.8):
    x, y, z = points.T
    return np.hypot(np.hypot(x, y) - radius, z) - tube


def test_a_surface_fills_its_part_of_the_cube(torus):
    points = torus.surface['surface']
    np.testing.assert_allclose(np.abs(points).max(0)[:2], 0.8, atol=1e-3)
    np.testing.assert_allclose(torus_distance(points), 0, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(torus.surface['normal'], axis=1), 1, atol=1e-6)


def test_the_distance_on_the_grid_is_that_to_the_surface(torus):
    assert torus.shape == (32, 32, 32)
    exact = torus_distance(torus.grid['coordinates'])
    error = np.abs(torus.grid['value'][:, 0] - exact)
    assert error.mean() < 2e-3
    assert error.max() < 0.02


def test_a_batch_holds_points_of_the_surface_and_others_of_the_cube(torus):
    (first, second) = batches(torus.training(Feed(seed=2)), 2)
    np.testing.assert_allclose(torus_distance(first['surface']), 0, atol=1e-3)
    outward = torus_distance(first['surface'] + 0.05 * first['normal'])
    np.testing.assert_allclose(outward, 0.05, atol=2e-3)
    others = np.concatenate([first['elsewhere'], second['elsewhere']])
    assert len(np.unique(others)) > 380  # Of 2 x 64 x 3: drawn anew in each step.
    assert np.abs(others).max() <= 1
    assert others.std() == pytest.approx(1 / np.sqrt(3), rel=0.1)
    (again,) = batches(torus.training(Feed(seed=2, step=1)))
    tf.nest.map_structure(np.testing.assert_array_equal, again, second)


def test_replicas_draw_other_points(torus):
    left, right = batches(torus.training(Feed(seed=2, replicas=2)), 2)
    assert len(left['elsewhere']) == 32
    assert (left['elsewhere'] != right['elsewhere']).all()


@pytest.mark.parametrize(
    ('make', 'message'),
    [
        (lambda source: SingleImage(source, 8, channels=2), '1 or 3 channels'),
        (lambda source: SingleImage(source, 1), 'image_size'),
        (lambda source: SingleImage(source, 8, known=1.5), 'known'),
        (lambda source: SingleImage(source, 8, batch_size=0), 'batch_size'),
        (lambda source: Audio(source, span=0.0), 'span'),
        (lambda source: Audio(source, samples=0), 'samples'),
        (lambda source: Audio(source).training(Feed()), "needs the feature 'audio'"),
        (lambda source: SingleImage(source, 8).training(Feed(replicas=3)), '3 replicas'),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(UserError, match=message):
        make(picture()[0])
