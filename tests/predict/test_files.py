"""Which files are meant, and in what order."""

import numpy as np
import pytest
import tensorflow as tf
from etils import epath

from garden.core.errors import UserError
from garden.predict.calls import UnreadableError, separately
from garden.predict.files import arrays, contents, find


@pytest.fixture
def folder(tmp_path):
    for name in ('b10.png', 'b9.png', 'a/2.png', 'a/10.png', '.hidden', 'c/x/y.txt', 'c/.git/z'):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    return tmp_path


def test_a_folder_is_all_that_lies_below_it_as_people_sort(folder):
    found = [str(path.relative_to(folder)) for path in find([str(folder)])]
    assert found == ['a/2.png', 'a/10.png', 'b9.png', 'b10.png', 'c/x/y.txt']


def test_inputs_stay_in_the_order_in_which_they_are_named(folder):
    names = [str(folder / 'b9.png'), f'{folder}/*.png', f'{folder}/a', f'{folder}/**/*.txt']
    found = [str(path.relative_to(folder)) for path in find(names)]
    assert found == ['b9.png', 'b9.png', 'b10.png', 'a/2.png', 'a/10.png', 'c/x/y.txt']


def test_a_name_with_brackets_is_a_file_where_there_is_one(tmp_path):
    (tmp_path / 'x[1].png').write_text('')
    assert [path.name for path in find([str(tmp_path / 'x[1].png')])] == ['x[1].png']


@pytest.mark.parametrize('name', ['nowhere', '*.jpeg'])
def test_what_does_not_exist_is_a_mistake(folder, name):
    with pytest.raises(UserError, match='no such file'):
        list(find([str(folder / name)]))


def test_files_are_read_a_batch_at_a_time(folder):
    taken = []

    def paths():
        for path in find([str(folder)]):
            taken.append(path)
            yield path

    batches = contents(paths(), 2)
    next(batches)
    assert len(taken) == 2
    assert [len(batch) for batch in batches] == [2, 1]


def test_a_file_that_vanishes_is_told(folder):
    ((_, data, reason), (_, other, none)) = next(
        contents([epath.Path(folder / 'gone'), epath.Path(folder / 'b9.png')], 2)
    )
    assert data == b''
    assert 'No such file' in str(reason)
    assert (other, none) == (b'b9.png', None)


def test_what_the_network_refuses_spoils_no_other():
    calls = []

    def call(files):
        calls.append(len(files))
        if b'bad' in files:
            raise tf.errors.InvalidArgumentError(
                None,
                None,
                'Graph execution error:\n\nDetected at node a/b defined at (most recent call '
                'last):\n<stack traces unavailable>\nIt is {{node x}} bad.\n\t [[{{node a}}]]',
            )
        return {'length': np.array([len(file) for file in files])}

    files = [b'a', b'bb', b'bad', b'', b'dddd', b'bad', b'x', b'y']
    found = separately(call, files)
    lengths = [None if isinstance(one, UnreadableError) else one['length'] for one in found]
    assert lengths == [1, 2, None, 0, 4, None, 1, 1]
    assert str(found[2]) == 'It is  bad.'
    calls.clear()
    separately(call, [b'a'] * 32)
    assert calls == [32]


def test_another_failure_is_no_unreadable_file():
    def call(files):
        raise tf.errors.ResourceExhaustedError(None, None, 'out of memory')

    with pytest.raises(tf.errors.ResourceExhaustedError):
        separately(call, [b'a', b'b'])


def saved(tmp_path, **held):
    np.savez(tmp_path / 'x.npz', **held)
    return (tmp_path / 'x.npz').read_bytes()


def test_arrays_are_read_by_the_names_of_the_arguments(tmp_path):
    specs = {
        'latent': tf.TensorSpec([None, 2], tf.float32),
        'label': tf.TensorSpec([None], tf.int32),
    }
    held = arrays(saved(tmp_path, label=[3], latent=[[0.5, 1.0]], more=[0]), specs)
    assert {name: (one.dtype.name, one.tolist()) for name, one in held.items()} == {
        'latent': ('float32', [[0.5, 1.0]]),
        'label': ('int32', [3]),
    }
    for wrong, why in (
        ({'latent': [[0.5, 1.0]]}, "no array 'label'"),
        ({'latent': [[0.5]], 'label': [3]}, 'latent is float64 [1, 1], and float32'),
        ({'latent': [[0.5, 1.0]], 'label': [3.5]}, 'label is float64'),
    ):
        with pytest.raises(UnreadableError) as refused:
            arrays(saved(tmp_path, **wrong), specs)
        assert why in str(refused.value)
    for data in (b'', b'no array', saved(tmp_path, label=[3])[:50]):
        with pytest.raises(UnreadableError, match='no array'):
            arrays(data, specs)


def test_pickles_are_never_read(tmp_path):
    np.save(tmp_path / 'x.npy', np.array([{}]), allow_pickle=True)
    with pytest.raises(UnreadableError, match='allow_pickle'):
        arrays((tmp_path / 'x.npy').read_bytes(), {'x': tf.TensorSpec([None], tf.float32)})
