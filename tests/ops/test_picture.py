"""Each operation against Pillow itself."""

import cv2
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from garden.ops import picture as ops

FILL = (124, 116, 104)


def photograph(height=37, width=53):
    """Smooth colours, some noise, and not the whole range of values."""
    rng = np.random.default_rng(0)
    coarse = rng.uniform(20, 220, (6, 8, 3)).astype(np.float32)
    fine = cv2.resize(coarse, (width, height)) + rng.normal(0, 8, (height, width, 3))
    return np.clip(fine, 5, 240).astype(np.uint8)


def graph(operation, picture, *arguments):
    """Runs it as a data pipeline would."""
    return tf.function(operation, autograph=False)(tf.constant(picture), *arguments).numpy()


def moved(coefficients):
    return lambda picture: picture.transform(
        picture.size, Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR,
        fillcolor=FILL,
    )  # fmt: skip


@pytest.mark.parametrize(
    ('operation', 'amount', 'by_pillow'),
    [
        (ops.shear_x, 0.33, moved((1, 0.33, 0, 0, 1, 0))),
        (ops.shear_x, -0.99, moved((1, -0.99, 0, 0, 1, 0))),
        (ops.shear_y, 0.5, moved((1, 0, 0, 0.5, 1, 0))),
        (ops.translate_x, 7.0, moved((1, 0, -7, 0, 1, 0))),
        (ops.translate_x, -3.6, moved((1, 0, 3.6, 0, 1, 0))),
        (ops.translate_y, 32.0, moved((1, 0, 0, 0, 1, -32))),
        *(
            (
                ops.rotate,
                angle,
                lambda picture, angle=angle: picture.rotate(
                    angle, Image.Resampling.BILINEAR, fillcolor=FILL
                ),
            )
            for angle in (4.5, -30.0, 135.0)
        ),
    ],
)
def test_geometry_is_within_one_level_of_pillow_at_all_but_the_edge(operation, amount, by_pillow):
    """Whether a pixel right on the edge lies inside is a matter of the last bit of its place."""
    picture = photograph()
    expected = np.array(by_pillow(Image.fromarray(picture))).astype(int)
    ours = graph(lambda p, a: operation(p, a, FILL), picture, tf.constant(amount)).astype(int)
    assert (np.abs(ours - expected).max(-1) > 1).mean() < 0.003
    assert (ours != expected).mean() < 0.05


@pytest.mark.parametrize('factor', [0.01, 0.4, 1.0, 1.3, 1.99])
@pytest.mark.parametrize(
    ('operation', 'by_pillow'),
    [
        (ops.brightness, ImageEnhance.Brightness),
        (ops.color, ImageEnhance.Color),
        (ops.contrast, ImageEnhance.Contrast),
        (ops.sharpness, ImageEnhance.Sharpness),
    ],
)
def test_enhancements_are_pillows(operation, by_pillow, factor):
    picture = photograph()
    expected = np.array(by_pillow(Image.fromarray(picture)).enhance(factor)).astype(int)
    ours = graph(operation, picture, tf.constant(factor)).astype(int)
    # A product that comes out whole may lie on either side of the truncation.
    assert np.abs(ours - expected).max() <= 1
    assert (ours != expected).mean() < 0.005


def test_the_smoothed_picture_is_pillows():
    picture = photograph()
    expected = Image.fromarray(picture).filter(ImageFilter.SMOOTH)
    np.testing.assert_array_equal(graph(ops.sharpness, picture, tf.constant(0.0)), expected)


@pytest.mark.parametrize(
    ('operation', 'by_pillow'),
    [
        *(
            (lambda p, b=b: ops.posterize(p, float(b)), lambda p, b=b: ImageOps.posterize(p, b))
            for b in (2, 5, 8)
        ),
        *(
            (lambda p, t=t: ops.solarize(p, t), lambda p, t=t: ImageOps.solarize(p, t))
            for t in (0.0, 110.5, 255.0)
        ),
        (ops.invert, ImageOps.invert),
        (ops.autocontrast, ImageOps.autocontrast),
        (ops.equalize, ImageOps.equalize),
    ],
)  # fmt: skip
@pytest.mark.parametrize('kind', ['photograph', 'flat', 'two levels', 'small'])
def test_levels_are_mapped_exactly_as_by_pillow(operation, by_pillow, kind):
    picture = {
        'photograph': photograph(120, 160),
        'flat': np.full((20, 20, 3), 77, np.uint8),
        'two levels': np.where(photograph() > 100, 200, 30).astype(np.uint8),
        'small': photograph(6, 8),
    }[kind]
    np.testing.assert_array_equal(graph(operation, picture), by_pillow(Image.fromarray(picture)))


def test_solarize_add_lightens_the_dark_half():
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
    expected = np.where(np.arange(256) < 128, np.arange(256) + 77, np.arange(256))
    np.testing.assert_array_equal(
        graph(ops.solarize_add, ramp, tf.constant(77.8))[0, :, 0], expected
    )
