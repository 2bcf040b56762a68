"""Learning rates against published and hand-computed values."""

import itertools

import numpy as np
import pytest

from garden import registry
from garden.core.errors import UserError


def schedule(name, **settings):
    return registry.get('schedules', name)(**settings)


def test_cosine_reproduces_the_rates_of_the_regnet_recipe():
    # The rates of pycls at base 0.8, 100 epochs, 5 of them warm-up, as its log prints them.
    published = {
        0: 0.08, 1: 0.223945, 2: 0.367637, 3: 0.510864, 4: 0.653414, 5: 0.795075,
        10: 0.780423, 50: 0.4, 90: 0.019577, 99: 0.000197,
    }  # fmt: skip
    steps = 1251
    rate = schedule(
        'cosine',
        base=0.8,
        steps=100 * steps,
        warmup_steps=5 * steps,
        warmup_factor=0.1,
        steps_per_epoch=steps,
    )
    for epoch, expected in published.items():
        for step in (epoch * steps, epoch * steps + steps - 1):
            np.testing.assert_allclose(rate(step), expected, atol=1e-6)


def test_cosine_without_epochs_changes_at_each_step_and_ends_at_its_floor():
    rate = schedule('cosine', base=1.0, steps=10, floor=0.1)
    values = [float(rate(step)) for step in range(12)]
    assert values[0] == 1.0
    assert all(a > b for a, b in itertools.pairwise(values[:11]))
    np.testing.assert_allclose(values[10:], 0.1, rtol=1e-6)


def test_piecewise_changes_at_its_boundaries():
    rate = schedule('piecewise', base=2.0, boundaries=(3, 6), factors=(0.1, 0.01))
    values = [float(rate(step)) for step in range(8)]
    np.testing.assert_allclose(values, [2.0] * 3 + [0.2] * 3 + [0.02] * 2, rtol=1e-6)


def test_piecewise_refuses_boundaries_without_factors():
    with pytest.raises(ValueError, match='one factor for each'):
        schedule('piecewise', base=1.0, boundaries=(3, 6), factors=(0.1,))


def test_linear_holds_then_falls_to_its_floor():
    rate = schedule('linear', base=2.0, steps=10, hold_steps=5, floor=0.5)
    np.testing.assert_allclose(
        [float(rate(step)) for step in (0, 5, 6, 10, 20)], [2.0, 2.0, 1.8, 1.0, 1.0], rtol=1e-6
    )


def test_linear_stays_constant_in_a_run_that_ends_before_the_line_begins():
    rate = schedule('linear', base=2.0, steps=3, hold_steps=5)
    np.testing.assert_allclose([rate(step) for step in range(4)], 2.0)


@pytest.mark.parametrize(
    'name, settings',
    [
        ('cosine', {'base': 1.0, 'steps': 10, 'warmup_steps': 4, 'warmup_factor': 0.2}),
        ('piecewise', {'base': 1.0, 'boundaries': (2,), 'factors': (0.5,), 'warmup_steps': 4}),
        ('linear', {'base': 1.0, 'steps': 9, 'warmup_steps': 4}),
    ],
)
def test_the_configuration_rebuilds_the_schedule(name, settings):
    original = schedule(name, **settings)
    again = type(original)(**original.get_config())
    steps = range(12)
    assert [float(again(s)) for s in steps] == [float(original(s)) for s in steps]


def test_an_unknown_kind_of_warm_up_is_refused():
    with pytest.raises(UserError, match=r"'befor' is not\. Did you mean before"):
        schedule('cosine', base=1.0, steps=10, warmup='befor')
