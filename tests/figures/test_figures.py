"""Pictures are images of the right kind that change with what they show."""

import io

import numpy as np
import pytest
from PIL import Image

from garden.figures import classification, curves, fields, grid, png


def image(seed=0):
    return np.random.default_rng(seed).integers(0, 255, (16, 16, 3), dtype=np.uint8)


def field(seed, *shape):
    random = np.random.default_rng(seed)
    return {
        'value': random.uniform(-1, 1, shape),
        'gradient': random.normal(size=(*shape, 2)),
        'laplacian': random.normal(size=shape),
    }


DRAWN = {
    'field of a picture': lambda seed: fields.image(field(seed, 8, 8, 3), field(0, 8, 8, 3)),
    'field with a part given': lambda seed: fields.image(
        field(0, 8, 8, 1), {**field(0, 8, 8, 1), 'known': np.eye(8)[..., None] * seed}
    ),
    'field of a sound': lambda seed: fields.sound(field(seed, 900, 1), field(0, 900, 1)),
    'field of a distance': lambda seed: fields.distance(
        field(seed, 8, 8, 8, 1), field(0, 8, 8, 8, 1)
    ),
    'grid': lambda seed: grid.image_grid([image(seed)] * 5, [str(seed)] * 5),
    'grey grid': lambda seed: grid.image_grid([image(seed)[..., 0]]),
    'confusion': lambda seed: classification.confusion(np.eye(10, dtype=int) + seed, ['x'] * 10),
    'large confusion': lambda seed: classification.confusion(
        np.eye(50, dtype=int) + seed, ['x'] * 50
    ),
    'mistakes': lambda seed: classification.mistakes([(0.9, 0, 1, image(seed))], ['a', 'b']),
    'curves': lambda seed: curves.learning_curves(
        {
            'loss': {'train': ([0, 1], [seed, 2.0]), 'eval': ([1], [1.0])},
            'rate': {'train': ([0], [1])},
        },
        {'loss': 0.5},
    ),
}


@pytest.mark.parametrize('name', DRAWN)
def test_it_is_an_image_of_what_it_is_given(name):
    first, again, other = (DRAWN[name](seed) for seed in (0, 0, 1))
    assert first.dtype == np.uint8
    assert first.ndim == 3 and first.shape[2] == 3
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_png_holds_the_image():
    original = image()
    decoded = np.asarray(Image.open(io.BytesIO(png.encode(original))))
    np.testing.assert_array_equal(decoded, original)
