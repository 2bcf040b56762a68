"""A picture with what is said of it."""

import numpy as np
import pytest

from garden.figures.caption import captioned


def test_a_small_picture_is_enlarged_and_stays_what_it_is():
    picture = np.random.default_rng(0).integers(0, 256, [16, 32, 3], np.uint8)
    drawn = captioned(picture, [])
    assert drawn.shape == (128, 256, 3)
    np.testing.assert_array_equal(drawn[4::8, 4::8], picture)


def test_a_grey_picture_is_drawn_and_a_large_one_made_smaller():
    drawn = captioned(np.full([1000, 2000, 1], 77, np.uint8), [('x', None)])
    assert drawn.shape[1] == 768
    assert (drawn[:380] == 77).all()


@pytest.mark.parametrize('share', [0.0, 0.25, 1.0])
def test_a_bar_is_as_long_as_its_share(share):
    drawn = captioned(np.zeros([256, 256, 3], np.uint8), [('', share)])
    line = drawn[-10]
    coloured = (line != 255).any(axis=1).sum()
    assert coloured == pytest.approx(share * (256 - 16), abs=2)


def test_a_long_name_is_cut_to_the_width():
    words = 'a class with a name of very many words that nobody could ever read at once'
    drawn = captioned(np.zeros([256, 256, 3], np.uint8), [(words, None), (words, 0.5)])
    assert (drawn[256:, -8:] == 255).all()
    assert (drawn[256:] < 100).any()
