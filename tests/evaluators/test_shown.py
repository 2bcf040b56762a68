"""Outputs that are kept to be drawn."""

import numpy as np
import pytest

from garden.evaluators.shown import Shown


@pytest.mark.parametrize(('count', 'kept'), [(None, 7), (5, 5), (2, 2), (9, 7)])
def test_the_first_examples_of_a_pass_are_kept(count, kept):
    shown = Shown(count)
    assert shown.outputs == {}
    for _ in range(2):  # The second pass replaces the first.
        shown.reset_state()
        for start, size in ((0, 4), (4, 3)):
            shown.update_state({'a': np.arange(start, start + size)})
        np.testing.assert_array_equal(shown.outputs['a'], np.arange(kept))
    assert shown.result() == {}


def test_only_what_is_named_is_kept():
    shown = Shown(names=('a',))
    shown.update_state({'a': np.ones(2), 'b': np.zeros(2)})
    assert list(shown.outputs) == ['a']
