"""How a signed distance is judged."""

import numpy as np
import pytest

from garden.evaluators.distance import Distance


def measured(value, true, near=0.1):
    evaluator = Distance(near)
    for part in (slice(0, 3), slice(3, None)):
        evaluator.update_state({'value': value[part, None], 'true_value': true[part, None]})
    result = evaluator.result()
    assert set(result) == set(evaluator.metrics)
    return result


TRUE = np.array([-0.3, -0.05, 0.02, 0.08, 0.5, 0.9])


def test_the_error_is_a_mean_and_so_is_that_near_the_surface():
    found = measured(TRUE + np.array([0.1, 0.01, -0.01, 0.04, 0.4, 0.2]), TRUE)
    assert found['distance_error'] == pytest.approx(0.76 / 6)
    assert found['near_error'] == pytest.approx(0.06 / 3)


def test_the_volume_that_both_call_inside():
    found = measured(np.array([-1, 1, -1, 1, 1, 1.0]), TRUE)
    assert found['inside_iou'] == pytest.approx(1 / 3)
    assert measured(TRUE, TRUE)['inside_iou'] == 1


def test_where_nothing_is_inside_or_near_nothing_is_wrong():
    assert measured(TRUE + 1, TRUE + 1)['inside_iou'] == 1
    assert measured(TRUE + 2, TRUE + 1)['near_error'] == 0
