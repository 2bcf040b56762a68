import io
import pickle
import shutil
import sys
import types
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

from garden.convert import weight_file
from garden.core.errors import UserError

DATA = Path(__file__).parent / 'data'
GRID = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
# What make_torch_files.py saved.
SAVED = {
    'float32': GRID,
    'transposed': GRID.transpose(2, 0, 1),
    'part': GRID[1, 1:],
    'parameter': np.array([0.5, -0.25], np.float32),
    'float64': np.array([1 / 3, -2.0]),
    'float16': np.array([1.5, -0.1], np.float16),
    'bfloat16': np.array([1.5, -0.1], ml_dtypes.bfloat16),
    'int64': np.array(2**40),
    'uint8': np.array([0, 255], np.uint8),
    'bool': np.array([True, False]),
    'empty': np.zeros((0, 3), np.float32),
}


def assert_saved(tensors):
    assert list(tensors) == list(SAVED)
    for name, wanted in SAVED.items():
        assert tensors[name].dtype == wanted.dtype, name
        np.testing.assert_array_equal(tensors[name], wanted)


def refused(path, *parts, **arguments):
    with pytest.raises(UserError) as error:
        weight_file.read(path, **arguments)
    message = str(error.value)
    assert '\n' not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize('name', ['tensors.pth', 'tensors_legacy.pth', 'checkpoint.pth'])
def test_what_pytorch_saved_is_read(name):
    assert_saved(weight_file.read(DATA / name))


def test_a_state_dict_with_pytorchs_attributes_is_read():
    tensors = weight_file.read(DATA / 'module.pth')
    assert tensors['0.weight'].shape == (2, 3, 1, 1)
    assert tensors['1.num_batches_tracked'] == 0


def test_safetensors_are_read(tmp_path):
    path = tmp_path / 'x.safetensors'
    tensors = {'a': GRID, 'b': np.array([1.5], np.float16)}
    safetensors.numpy.save_file(tensors, path)
    found = weight_file.read(path)
    np.testing.assert_array_equal(found['a'], GRID)
    assert found['b'].dtype == np.float16
    refused(path, '--entry=a', 'no entries', entry='a')


def test_of_several_sets_of_weights_one_is_chosen():
    path = DATA / 'several.pth'
    refused(path, 'several sets of weights', '--entry', 'model_state, ema_state')
    refused(path, 'no entry model_stat', 'Did you mean model_state', entry='model_stat')
    assert_saved(weight_file.read(path, 'model_state'))
    assert list(weight_file.read(path, 'ema_state')) == ['float32']


@pytest.mark.parametrize('name', ['runs_code.pth', 'runs_code_legacy.pth', 'whole_module.pth'])
def test_a_pickle_that_would_run_code_runs_none(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(DATA / name, name, 'the pickle in it calls', 'nothing of it was run', 'safetensors')
    assert not list(tmp_path.iterdir())


class Attack:
    """Pickles as a call of `function`."""

    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize('attack', [Attack(eval, '1 / 0'), Attack(getattr, 'x', '__class__')])
def test_nothing_of_python_can_be_called(attack, tmp_path):
    path = tmp_path / 'x.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('x/data.pkl', pickle.dumps({'a': attack}, protocol=2))
    refused(path, 'the pickle in it calls', '__builtin__.')
    path.write_bytes(pickle.dumps({'a': attack}, protocol=4))
    refused(path, 'the pickle in it calls', 'builtins.')


@pytest.mark.parametrize(
    'state',
    [
        # A storage's type, the function that rebuilds, and the class of dictionaries.
        b'ctorch\nFloatStorage\n',
        b'ctorch._utils\n_rebuild_tensor_v2\n',
        b'ccollections\nOrderedDict\n',
    ],
)
def test_a_pickle_leaves_nothing_behind_for_the_next(state, tmp_path):
    """The instruction BUILD sets attributes of what is on the stack."""
    path = tmp_path / 'x.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        attributes = pickle.dumps({'__call__': 1, '__defaults__': (1,)}, protocol=2)[2:-1]
        archive.writestr('x/data.pkl', b'\x80\x02' + state + b'N' + attributes + b'\x86b.')
    with pytest.raises(UserError):
        weight_file.read(path)
    assert_saved(weight_file.read(DATA / 'tensors.pth'))


@pytest.mark.parametrize('name', ['tensors.pth', 'tensors_legacy.pth'])
def test_a_file_cut_anywhere_is_refused(name, tmp_path):
    data = (DATA / name).read_bytes()
    path = tmp_path / 'cut.pth'
    for length in range(0, len(data) - 1, 97):
        path.write_bytes(data[:length])
        refused(path, 'cut.pth', 'cut short, damaged, or no file of weights')


def test_a_flipped_bit_is_noticed(tmp_path):
    data = bytearray((DATA / 'tensors.pth').read_bytes())
    data[data.index(GRID.tobytes()) + 5] ^= 1
    path = tmp_path / 'flipped.pth'
    path.write_bytes(data)
    refused(path, 'damaged', 'CRC')


def test_a_cut_or_foreign_safetensors_file_is_refused(tmp_path):
    path = tmp_path / 'x.safetensors'
    safetensors.numpy.save_file({'a': GRID}, path)
    whole = path.read_bytes()
    for data in (whole[:-3], whole[:20], b'', b'<html>not found</html>'):
        path.write_bytes(data)
        refused(path, 'x.safetensors', 'cut short, damaged, or no file of weights')


@pytest.mark.parametrize(
    ('offset', 'size', 'stride'),
    [(0, (7,), (1,)), (1, (2, 3), (3, 1)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (99,), (0,))],
)
def test_a_view_beyond_its_storage_is_refused(offset, size, stride, tmp_path, monkeypatch):
    """A view of memory that is not the tensor's would crash, or show what is there."""

    path = tmp_path / 'x.pth'
    write(path, monkeypatch, offset, size, stride)
    refused(path, 'cut short, damaged, or no file of weights')


def test_a_view_within_its_storage_is_read(tmp_path, monkeypatch):
    """The file of the test above is fine but for its numbers."""
    path = tmp_path / 'x.pth'
    write(path, monkeypatch, 1, (2, 2), (3, 1))
    np.testing.assert_array_equal(weight_file.read(path)['a'], [[1, 2], [4, 5]])


def write(path, monkeypatch, *view):
    """Writes {'a': a view of the numbers 0 to 5} as PyTorch would."""

    def rebuild(*arguments):
        raise AssertionError('only its name is pickled')

    rebuild.__module__, rebuild.__qualname__ = 'torch._utils', '_rebuild_tensor'
    module = types.SimpleNamespace(_rebuild_tensor=rebuild)
    monkeypatch.setitem(sys.modules, 'torch', types.ModuleType('torch'))
    monkeypatch.setitem(sys.modules, 'torch._utils', module)
    storage = object()

    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return ('storage', 'FloatStorage', '0', 'cpu', 6) if obj is storage else None

    program = io.BytesIO()
    Pickler(program, protocol=2).dump({'a': Attack(rebuild, storage, *view)})
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('x/data.pkl', program.getvalue())
        archive.writestr('x/data/0', np.arange(6, dtype=np.float32).tobytes())


def test_what_is_no_state_dict_is_told_so(tmp_path):
    path = tmp_path / 'x.pth'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('x/data.pkl', pickle.dumps({'a': [1, 2]}, protocol=2))
    refused(path, 'no state dict')


def test_a_missing_file_and_a_folder_are_told_so(tmp_path):
    refused(tmp_path / 'nothing.pth', 'nothing.pth cannot be read')
    refused(tmp_path / 'nothing.safetensors', 'nothing.safetensors cannot be read')
    shutil.copytree(DATA, tmp_path / 'folder.pth')
    refused(tmp_path / 'folder.pth', 'folder.pth cannot be read')
