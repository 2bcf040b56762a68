"""The PSNR against its definition, batch by batch."""

import numpy as np
import pytest

from garden.core.errors import UserError
from garden.evaluators.psnr import PSNR

RANDOM = np.random.default_rng(0)
TRUE = RANDOM.uniform(-1, 1, (60, 1))
NOISE = 0.1 * RANDOM.choice([-1, 1], (60, 1)) * (np.abs(TRUE) < 0.8)


def measured(evaluator, **columns):
    """Feeds two batches of unequal sizes."""
    for part in (slice(0, 45), slice(45, None)):
        evaluator.update_state({name: column[part] for name, column in columns.items()})
    result = evaluator.result()
    assert list(result) == list(evaluator.metrics)
    return result


def test_it_is_the_ratio_of_the_range_to_the_error():
    found = measured(PSNR(), value=TRUE + NOISE, true_value=TRUE)
    mse = np.square(NOISE).mean()
    assert found == pytest.approx({'mse': mse, 'psnr': 10 * np.log10(2**2 / mse)})


def test_an_error_of_a_tenth_of_the_range_is_20_db():
    found = measured(PSNR(), value=np.zeros([60, 1]) + 0.2, true_value=np.zeros([60, 1]))
    assert found['psnr'] == pytest.approx(20)


def test_values_beyond_the_range_are_cut():
    found = measured(PSNR(), value=np.full([60, 1], 3.0), true_value=np.ones([60, 1]))
    assert found['psnr'] > 1000
    assert found['mse'] == pytest.approx(4)


def test_a_constant_can_be_left_open():
    found = measured(PSNR('mean'), value=TRUE + NOISE + 0.5, true_value=TRUE)
    straight = measured(PSNR(), value=TRUE + NOISE - NOISE.mean(), true_value=TRUE)
    assert found == pytest.approx(straight)
    assert measured(PSNR(), value=TRUE + 0.5, true_value=TRUE)['psnr'] < 13


def test_what_a_laplacian_leaves_open_can_be_left_open():
    points = RANDOM.uniform(-1, 1, (60, 2))
    x, y = points.T
    harmonic = (0.3 + x * y + x**3 - 3 * x * y**2)[:, None]
    columns = {'true_value': TRUE, 'coordinates': points}
    found = measured(PSNR('harmonic'), value=TRUE + harmonic, **columns)
    assert found['psnr'] > 100
    bowl = 0.5 * (x**2 + y**2)[:, None]  # Whose Laplacian is not zero.
    assert measured(PSNR('harmonic'), value=TRUE + bowl, **columns)['psnr'] < 40


def test_unseen_points_are_judged_apart():
    known = np.ones([60, 1])
    known[::3] = 0
    value = TRUE + np.where(known, 0.5, NOISE)
    found = measured(PSNR(unseen=True), value=value, true_value=TRUE, known=known)
    alone = measured(
        PSNR(), value=(TRUE + NOISE)[::3].repeat(3, 0), true_value=TRUE[::3].repeat(3, 0)
    )
    assert found['unseen_psnr'] == pytest.approx(alone['psnr'])
    assert found['psnr'] < found['unseen_psnr']


def test_derivatives_are_judged_by_their_own_range():
    slopes, second = RANDOM.normal(size=(60, 1, 2)), RANDOM.normal(size=(60, 1))
    found = measured(
        PSNR(derivatives=True),
        value=TRUE,
        true_value=TRUE,
        gradient=slopes + 0.1 * np.ptp(slopes),
        true_gradient=slopes,
        laplacian=second - 0.01 * np.ptp(second),
        true_laplacian=second,
    )
    assert found['gradient_psnr'] == pytest.approx(20)
    assert found['laplacian_psnr'] == pytest.approx(40)


def test_it_forgets():
    evaluator = PSNR()
    measured(evaluator, value=TRUE + 1, true_value=TRUE)
    evaluator.reset_state()
    assert measured(evaluator, value=TRUE, true_value=TRUE)['mse'] == 0


def test_an_unknown_alignment_is_named():
    with pytest.raises(UserError, match=r'mean.*Did you mean mean'):
        PSNR('mena')


def test_what_the_data_do_not_have_is_named():
    with pytest.raises(UserError, match="needs 'known'"):
        measured(PSNR(unseen=True), value=TRUE, true_value=TRUE)
