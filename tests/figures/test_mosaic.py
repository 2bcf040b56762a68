import numpy as np

from garden.figures.mosaic import mosaic, strips

SHADES = np.arange(5, dtype=np.uint8) * 40


def flat(side=56):
    return np.broadcast_to(SHADES[:, None, None, None], [5, side, side, 1])


def test_images_stand_in_rows_with_white_between_them():
    laid = mosaic(flat(), columns=3)
    assert laid.shape == (2 * 56 + 2, 3 * 56 + 2 * 2, 3)
    centres = laid[28::58, 28::58, 0]
    np.testing.assert_array_equal(centres, [[0, 40, 80], [120, 160, 255]])
    assert (laid[56:58] == 255).all() and (laid[:, 56:58] == 255).all()


def test_small_images_are_enlarged_pixel_by_pixel():
    checks = np.array([[0, 255], [255, 0]], np.uint8)[None, :, :, None]
    laid = mosaic(checks, columns=1)
    np.testing.assert_array_equal(laid[:, :, 0], np.kron(checks[0, :, :, 0], np.ones([28, 28])))


def test_colours_stay_as_they_are():
    colour = np.zeros([1, 56, 56, 3], np.uint8)
    colour[..., 1] = 200
    np.testing.assert_array_equal(mosaic(colour, 1), colour[0])


def test_strips_draw_every_row():
    rows = {'input': flat(8), 'output': 255 - flat(8)}
    drawn = strips(rows)
    assert drawn.dtype == np.uint8 and drawn.shape[2] == 3
    # The shades of both rows are somewhere in the picture, but for what resizing makes of edges.
    for shade in (40, 80, 120, 160, 215, 175, 135, 95):
        assert (drawn == shade).all(axis=2).sum() > 200, shade
