"""What is known of bad examples, and what takes their place."""

import pytest
import tensorflow as tf

from garden.core.bad_examples import BadExample, Flaw, Reader, Readers, problem, replacements
from garden.core.errors import UserError


def reader(flaws=(), **changes):
    """A reader that finds some flaws whatever it is asked."""
    settings = {
        'name': 'pictures',
        'training': True,
        'seed': 0,
        'budget': 3,
        'setting': 'train/dataloaders.pictures.bad_examples',
        'find': lambda number, excluded: [
            Flaw(index, f'{index}.jpg', 'no picture') for index in flaws
        ],
    }
    return Reader(**settings | changes)


def met(index, step=0, seed=0, name='pictures'):
    return BadExample(name, index, f'{index}.jpg', 'no picture', seed, step)


def test_an_example_is_left_out_from_the_step_on_at_which_it_was_met():
    known = [met(4, step=3), met(2, step=7), met(9, step=7)]
    assert Readers(known, 2).enter(reader()) == ()
    assert Readers(known, 3).enter(reader()) == (4,)
    assert Readers(known, 7).enter(reader()) == (2, 4, 9)


def test_another_order_and_another_reader_are_other_stories():
    known = [met(4, seed=1), met(5, name='others')]
    assert Readers(known).enter(reader()) == ()
    assert Readers(known).enter(reader(seed=1)) == (4,)


def test_an_evaluation_leaves_out_all_that_was_ever_met():
    assert Readers([met(4, step=9, seed=5)]).enter(reader(training=False)) == (4,)


def test_the_next_change_is_known_beforehand():
    known = [met(4, step=3), met(2, step=7), met(5, step=5, name='others'), met(6, step=4, seed=1)]
    readers = Readers(known, 3)
    assert readers.next_change() is None, 'nothing is read'
    readers.enter(reader())
    assert readers.next_change() == 7


def test_a_budget_counts_different_examples_over_all_steps_and_orders():
    known = [met(1), met(1, seed=1), met(2, step=50)]
    readers = Readers(known)
    readers.enter(reader([1, 3]))
    assert [one.index for one in readers.find(0, 0)] == [1, 3]
    readers = Readers(known)
    readers.enter(reader([3, 4]))
    with pytest.raises(UserError, match=r'^pictures: 4 bad examples, where .* allows 3: 1.jpg: no'):
        readers.find(0, 0)


def test_a_long_list_is_cut_and_says_how_to_allow_more():
    readers = Readers()
    readers.enter(reader(range(50)))
    with pytest.raises(UserError) as error:
        readers.find(0, 0)
    text = str(error.value)
    assert '19.jpg: no picture; and 30 more. Mend or remove' in text
    assert '20.jpg' not in text
    assert text.endswith('raise train/dataloaders.pictures.bad_examples.')


def test_the_last_good_example_before_takes_the_place():
    assert replacements((5,), 8) == {5: 4}
    assert replacements((4, 5, 7), 8) == {4: 3, 5: 3, 7: 6}
    assert replacements((0, 1, 3), 8) == {0: 2, 1: 2, 3: 2}
    with pytest.raises(UserError, match='All 2 examples are bad'):
        replacements((0, 1), 2)


@pytest.mark.parametrize(
    ('said', 'meant'),
    [
        (
            '{{function_node __wrapped__IteratorGetNext}} Error in user-defined function passed to '
            'MapDataset:42 transformation with iterator: Iterator::Root::ParallelMapV2: Unknown '
            'image file format. One of JPEG, PNG required.\n\t [[{{node D}}]] [Op:IteratorGetNext]',
            'Unknown image file format. One of JPEG, PNG required',
        ),
        (
            '{{function_node x}} /data/a.jpg; No such file or directory [Op:ReadFile]',
            '/data/a.jpg; No such file or directory',
        ),
        ('assertion failed: [its label] [12] [is negative]', 'its label 12 is negative'),
        ('assertion failed: [damaged] [in] [a.rec] [at byte] [7]', 'damaged'),
    ],
)  # fmt: skip
def test_what_tensorflow_says_is_cut_to_what_is_wrong(said, meant):
    assert problem(tf.errors.InvalidArgumentError(None, None, said)) == meant
