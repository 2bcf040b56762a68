"""Image operations against independent NumPy, Pillow and OpenCV references."""

import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from garden.ops import image as ops

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def seeds(count):
    return [tf.constant([3, number], tf.int64) for number in range(count)]


def smooth(height, width, channels=3):
    """A picture with gradients and some noise, uint8."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(0, 255, (6, 8, channels)).astype(np.float32)
    fine = cv2.resize(coarse, (width, height)).reshape(height, width, channels)
    return np.clip(fine + rng.normal(0, 8, fine.shape), 0, 255).astype(np.uint8)


def encoded(pixels, form, mode=None, **options):
    file = io.BytesIO()
    picture = Image.fromarray(pixels.squeeze())
    (picture.convert(mode) if mode else picture).save(file, form, **options)
    return file.getvalue()


def by_pillow(data):
    return np.array(Image.open(io.BytesIO(data)).convert('RGB'))


@pytest.mark.parametrize(
    ('form', 'channels', 'mode'),
    [('JPEG', 3, None), ('JPEG', 1, None), ('PNG', 3, None), ('PNG', 1, None), ('PNG', 3, 'RGBA'),
     ('BMP', 3, None), ('GIF', 1, None)],
)  # fmt: skip
def test_every_kind_of_file_becomes_rgb(form, channels, mode):
    data = encoded(smooth(30, 40, channels), form, mode)
    image = ops.pixels(tf.constant(data))
    assert image.dtype == tf.uint8
    np.testing.assert_array_equal(image, by_pillow(data))


def test_a_cmyk_jpeg_becomes_rgb():
    original = cv2.resize(smooth(6, 8), (40, 30))
    data = encoded(original, 'JPEG', 'CMYK', quality=95)
    image = ops.pixels(tf.constant(data)).numpy().astype(int)
    assert image.shape == (30, 40, 3)
    assert np.abs(image - original).mean() < 6


def test_pixels_pass_and_grey_ones_become_rgb():
    grey = smooth(5, 7, 1)
    np.testing.assert_array_equal(ops.pixels(tf.constant(grey)), np.repeat(grey, 3, 2))
    colours = smooth(5, 7)
    np.testing.assert_array_equal(ops.pixels(tf.constant(colours)), colours)


@pytest.mark.parametrize('form', ['JPEG', 'PNG'])
def test_a_window_is_decoded_as_if_cut_out_of_the_whole(form):
    data = encoded(smooth(90, 120), form)
    window = np.array([13, 22, 41, 57], np.int32)
    image = ops.pixels(tf.constant(data), lambda height, width: tf.constant(window)).numpy()
    whole = by_pillow(data)[13 : 13 + 41, 22 : 22 + 57].astype(int)
    assert image.shape == whole.shape
    # The outermost columns of a JPEG lack the neighbours from which their colour is interpolated.
    np.testing.assert_array_equal(image[:, 2:-2], whole[:, 2:-2])
    assert np.abs(image - whole).max() < 20


def reference_window(draws, height, width):
    """The sequential form: ten tries, the first that fits."""
    for area, aspect, swap, down, right in draws.T.astype(float):
        target = (0.08 + 0.92 * area) * height * width
        ratio = 3 / 4 + (4 / 3 - 3 / 4) * aspect
        wide, tall = round((target * ratio) ** 0.5), round((target / ratio) ** 0.5)
        if swap < 0.5:
            wide, tall = tall, wide
        if wide <= width and tall <= height:
            return [int(down * (height - tall)), int(right * (width - wide)), tall, wide]
    side = min(height, width)
    return [-(-(height - side) // 2), -(-(width - side) // 2), side, side]


@pytest.mark.parametrize('size', [(375, 500), (500, 333), (64, 64), (40, 400)])
def test_the_inception_window_is_the_first_try_that_fits(size):
    for seed in seeds(60):
        draws = tf.random.stateless_uniform([5, 10], seed).numpy()
        window = ops.inception_window(tf.constant(size[0]), tf.constant(size[1]), seed)
        assert window.numpy().tolist() == reference_window(draws, *size)


def test_inception_windows_have_uniform_area_and_lie_inside():
    @tf.function
    def many(numbers):
        height, width = tf.constant(1000), tf.constant(1000)
        return tf.map_fn(
            lambda n: ops.inception_window(height, width, tf.stack([7, n])),
            numbers,
            fn_output_signature=tf.int32,
        )

    top, left, tall, wide = many(tf.range(2000)).numpy().T
    assert (top >= 0).all() and (left >= 0).all()
    assert (top + tall <= 1000).all() and (left + wide <= 1000).all()
    area, ratio = tall * wide / 1e6, wide / tall
    small = area < 0.7  # Larger ones are cut short by those that do not fit.
    quarters = np.histogram(area[small], np.linspace(0.08, 0.7, 5))[0] / small.sum()
    np.testing.assert_allclose(quarters, 0.25, atol=0.04)
    # Uniform in the ratio and then swapped or not, so as often above 1 as below.
    assert ratio.min() > 0.73 and ratio.max() < 1.36
    assert abs((ratio > 1).mean() - 0.5) < 0.04


def test_resize_follows_opencv():
    image = smooth(41, 57)
    ours = ops.resize(tf.constant(image), 24, 33)
    np.testing.assert_allclose(ours, cv2.resize(image.astype(np.float32), (33, 24)), atol=2e-3)


@pytest.mark.parametrize(
    ('shape', 'size', 'resized', 'corner'),
    [
        ((375, 500), 256, (256, 341), (16, 59)),
        ((500, 333), 256, (384, 256), (80, 16)),
        ((300, 300), 256, (256, 256), (16, 16)),
        ((257, 512), 256, (256, 510), (16, 143)),
    ],
)
def test_the_test_image_is_the_centre_of_the_shorter_side_at_256(shape, size, resized, corner):
    image = smooth(*shape)
    whole = ops.resize_shorter_side(tf.constant(image), size)
    assert whole.shape[:2] == resized
    expected = cv2.resize(image.astype(np.float32), resized[::-1])
    top, left = corner
    np.testing.assert_allclose(
        ops.center_crop(whole, 224), expected[top : top + 224, left : left + 224], atol=2e-3
    )


def test_the_centre_has_the_larger_margin_at_top_and_left():
    image = tf.reshape(tf.range(7 * 4 * 3), [7, 4, 3])
    np.testing.assert_array_equal(ops.center_crop(image, 4), image[2:6, :])
    np.testing.assert_array_equal(ops.center_crop(image, 2), image[3:5, 1:3])


def reference_affine(image, size, angle, scale, shift):
    """Samples pixel by pixel: output pixel -> centred coordinates -> turn -> scale -> shift."""
    height, width = image.shape[:2]
    result = np.zeros((size, size, 3))
    for row in range(size):
        for column in range(size):
            u, v = column - (size - 1) / 2, row - (size - 1) / 2
            x = (np.cos(angle) * u - np.sin(angle) * v) * width / size / scale
            y = (np.sin(angle) * u + np.cos(angle) * v) * height / size / scale
            x += (width - 1) / 2 + shift[0] * width
            y += (height - 1) / 2 + shift[1] * height
            x0, y0 = int(np.floor(x)), int(np.floor(y))
            for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
                weight = (1 - abs(y - y0 - dy)) * (1 - abs(x - x0 - dx))
                pixel = image[np.clip(y0 + dy, 0, height - 1), np.clip(x0 + dx, 0, width - 1)]
                result[row, column] += weight * pixel
    return result


def test_random_affine_samples_where_it_says():
    image = smooth(8, 8)
    for seed in seeds(5):
        draws = tf.random.stateless_uniform([4], seed, -1.0, 1.0).numpy().astype(float)
        angle = np.radians(20) * draws[0]
        expected = reference_affine(image, 12, angle, 1 + 0.2 * draws[1], 0.1 * draws[2:])
        ours = ops.random_affine(tf.constant(image), seed, 12, 0.1, 0.2, 20)
        np.testing.assert_allclose(ours, expected, atol=0.05)


def test_random_affine_of_nothing_is_a_resize():
    image = tf.constant(smooth(8, 8))
    np.testing.assert_allclose(
        ops.random_affine(image, seeds(1)[0], 32), ops.resize(image, 32, 32), atol=1e-3
    )


def test_flips_are_half_of_all_and_mirror_left_and_right():
    image = tf.constant(smooth(4, 6))
    flipped = [ops.random_flip(image, seed).numpy() for seed in seeds(200)]
    mirrored = [np.array_equal(f, image.numpy()[:, ::-1]) for f in flipped]
    assert all(m or np.array_equal(f, image) for m, f in zip(mirrored, flipped, strict=True))
    assert 75 < sum(mirrored) < 125


def test_lighting_is_a_colour_along_the_principal_components():
    values = np.array([0.2175, 0.0188, 0.0045])
    vectors = np.array(
        [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    )
    for seed in seeds(4):
        alphas = tf.random.stateless_normal([3], seed, 0, 0.5).numpy()
        shift = sum(vectors[:, k] * alphas[k] * values[k] for k in range(3))
        np.testing.assert_allclose(ops.pca_lighting(seed, 0.5), shift, atol=1e-6)


@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_normalize(dtype):
    image = smooth(5, 6).astype(dtype)
    expected = (image / 255 - np.array(MEAN)) / np.array(STD)
    normal = ops.normalize(tf.constant(image), tf.constant(MEAN), STD)
    np.testing.assert_allclose(normal, expected, rtol=1e-5, atol=1e-5)


def test_normalize_takes_a_mean_for_each_image():
    images = np.stack([smooth(5, 6), smooth(5, 6)[::-1]])
    means = np.array([MEAN, [0.1, 0.2, 0.3]], np.float32)
    normal = ops.normalize(tf.constant(images), tf.constant(means), STD)
    for image, mean, expected in zip(images, means, normal, strict=True):
        np.testing.assert_allclose(ops.normalize(tf.constant(image), mean, STD), expected)


@pytest.mark.parametrize('method, filter_', [('bilinear', 'BILINEAR'), ('bicubic', 'BICUBIC')])
def test_antialiased_resizing_is_pillows(method, filter_):
    """Pillow rounds between its two passes, and to whole levels at the end."""
    image = smooth(60, 90)
    expected = Image.fromarray(image).resize((31, 23), Image.Resampling[filter_])
    resized = ops.resize(tf.constant(image), 23, 31, method, antialias=True)
    np.testing.assert_allclose(resized, np.asarray(expected), atol=1.01)


def test_bicubic_values_stay_in_range():
    edge = np.zeros([8, 8, 3], np.uint8)
    edge[:, 4:] = 255
    resized = ops.resize(tf.constant(edge), 16, 16, 'bicubic').numpy()
    assert resized.min() == 0 and resized.max() == 255


def test_the_logarithm_of_the_aspect_ratio_is_drawn_if_asked_for():
    def ratios(log_aspect):
        windows = [
            ops.inception_window(
                tf.constant(4000), tf.constant(4000), seed, (0.01, 0.02), (1.0, 4.0), log_aspect
            ).numpy()
            for seed in seeds(400)
        ]
        # Height and width are swapped at random.
        return np.array([max(w[2], w[3]) / min(w[2], w[3]) for w in windows])

    assert abs(np.mean(ratios(False)) - 2.5) < 0.2
    assert abs(np.mean(np.log(ratios(True))) - np.log(2)) < 0.08


def test_split_seeds_differ_from_each_other_and_between_positions():
    split = [tuple(s.numpy()) for seed in seeds(50) for s in ops.split(seed, 4)]
    assert len(set(split)) == 200


@pytest.mark.parametrize(
    'operation',
    [
        lambda image, seed: ops.pixels(image, lambda h, w: ops.inception_window(h, w, seed)),
        lambda image, seed: ops.random_affine(ops.pixels(image), seed, 16, 0.1, 0.1, 10),
        lambda image, seed: ops.pca_lighting(seed, 0.1),
    ],
)
def test_random_operations_are_functions_of_the_seed(operation):
    image = tf.constant(encoded(smooth(30, 40), 'JPEG'))
    one, other = seeds(2)
    np.testing.assert_array_equal(operation(image, one), operation(image, one))
    assert not np.array_equal(operation(image, one), operation(image, other))
