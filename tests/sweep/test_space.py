import pytest

from garden.core.errors import UserError
from garden.sweep.space import Choice, Range, examples, parse, written


def test_ranges_and_lists_are_read():
    space = parse(
        {
            'a.rate': ('log', 1e-3, 1),
            'a.depth': ('int', 2, 7, 2),
            'a.width': ('int_log', 8, 512),
            'a.decay': ('uniform', 0.0, 0.5, 0.25),
            'a.optimizer': ['@optimizers.sgd()', 'text', None],
        },
        'x.gin:1',
    )
    assert space == {
        'a.rate': Range(1e-3, 1, log=True),
        'a.depth': Range(2, 7, whole=True, step=2),
        'a.width': Range(8, 512, log=True, whole=True),
        'a.decay': Range(0.0, 0.5, step=0.25),
        'a.optimizer': Choice(('@optimizers.sgd()', "'text'", 'None')),
    }
    assert space['a.depth'].listed() == [2, 4, 6]
    assert space['a.decay'].listed() == [0.0, 0.25, 0.5]
    assert space['a.rate'].listed() is None
    assert space['a.width'].listed() is None


def test_a_text_is_quoted_and_a_reference_is_not():
    assert written('center') == "'center'"
    assert written('@train/models.x()') == '@train/models.x()'
    assert written('%batch_size') == '%batch_size'
    assert written([1, (2.0, None)]) == '[1, (2.0, None)]'


def test_examples_have_each_value_and_both_ends():
    points = examples({'a': Choice(('1', '2', '3')), 'b': Range(0.5, 2.0)})
    assert {point['a'] for point in points} == {'1', '2', '3'}
    assert {point['b'] for point in points} == {'0.5', '2.0'}


@pytest.mark.parametrize(
    ('value', 'message'),
    [
        (('lgo', 1, 2), "no range 'lgo'. Did you mean log?"),
        (('choice', [1, 2]), 'Write a list for a choice'),
        (('log', 0.0, 1.0), 'lies above 0'),
        (('log', 1e-3, 1.0, 2), "as in ('log', low, high)."),
        (('uniform', 1.0, 0.5), '1.0 is not less than 0.5'),
        (('uniform', 0.0, 1.0, 2.0), 'the step 2.0 does not fit'),
        (('int', 1, 2.5), 'two whole numbers'),
        (('int', True, 3), 'two whole numbers'),
        (('uniform', 0.0, float('inf')), 'two numbers'),
        ([], 'has none or two'),
        ([1, 1], 'has none or two'),
        (0.1, 'says no values'),
    ],
)
def test_what_states_no_values_is_refused(value, message):
    with pytest.raises(UserError) as error:
        parse({'a.b': value}, 'x.gin:1')
    assert str(error.value).startswith('x.gin:1: sweep.space, a.b: ')
    assert message in str(error.value)


def test_an_empty_space_is_refused():
    with pytest.raises(UserError, match='nothing to vary'):
        parse({}, 'x.gin:1')
