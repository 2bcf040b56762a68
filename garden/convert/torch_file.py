"""Reads what `torch.save` wrote, without PyTorch and without running any of it.

Such a file holds a pickle, a program that may call anything, and beside it the numbers of its
tensors. This reader lets the program call what builds tensors and dictionaries, and nothing else.
Both formats are read: the zip archive that PyTorch writes since 1.6, and what it wrote before.
"""

import functools
import io
import math
import pickle
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from garden.core.errors import UserError

_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_DTYPES = {
    'DoubleStorage': np.float64,
    'FloatStorage': np.float32,
    'HalfStorage': np.float16,
    'BFloat16Storage': ml_dtypes.bfloat16,
    'LongStorage': np.int64,
    'IntStorage': np.int32,
    'ShortStorage': np.int16,
    'CharStorage': np.int8,
    'ByteStorage': np.uint8,
    'BoolStorage': np.bool_,
}


class Storage(NamedTuple):
    """Numbers in a row, not read yet; `read` returns their bytes.

    A tuple, like `Tensor`, so that no instruction of a pickle can change one that exists.
    """

    dtype: np.dtype
    length: int
    read: Callable[[], bytes]


class Tensor(NamedTuple):
    """A view of a storage, offset and strides in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> np.ndarray:
        """Reads the values.

        Raises:
          ValueError: if the file does not hold them all.
        """
        data = self.storage.read()
        size = math.prod(self.shape)
        spans = [(n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True)]
        last = self.offset + sum(spans)
        inside = min((self.offset, *self.shape, *self.strides), default=0) >= 0
        whole = len(data) == self.storage.length * self.storage.dtype.itemsize
        if not inside or not whole or (size and max(size, last + 1) > self.storage.length):
            raise ValueError('a tensor is larger than its data')
        flat = np.frombuffer(data, self.storage.dtype)
        if not size:
            return np.zeros(self.shape, flat.dtype)
        strides = [stride * flat.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(flat[self.offset :], self.shape, strides).copy()


def load(path: str) -> Any:
    """Returns what a file holds: dictionaries, lists, numbers, texts, a `Tensor` for each tensor.

    Raises:
      UserError: if the file is damaged, of another kind, or would call anything but what builds
        tensors and dictionaries.
    """
    try:
        return _load_zip(path) if zipfile.is_zipfile(path) else _load_legacy(path)
    except (UserError, OSError):
        raise
    except Exception as error:  # A damaged pickle can raise anything.
        raise damaged(path, error) from error


def damaged(path: str, error: Exception) -> UserError:
    """Returns what to say of a file that cannot be read to its end."""
    reason = str(error).splitlines()[0].rstrip('.') if str(error) else type(error).__name__
    return UserError(
        f'{path} is cut short, damaged, or no file of weights ({reason}). Fetch it again and '
        'compare its size or checksum with the published one.'
    )


def _load_zip(path: str) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        (pickled,) = (name for name in names if name.count('/') == 1 and name.endswith('/data.pkl'))
        folder = pickled.removesuffix('data.pkl')
        if f'{folder}byteorder' in names and archive.read(f'{folder}byteorder') != b'little':
            raise ValueError('its numbers are big-endian')
        program = io.BytesIO(archive.read(pickled))

    def read(key: str) -> bytes:
        with zipfile.ZipFile(path) as archive:
            return archive.read(f'{folder}data/{key}')

    return _Unpickler(program, path, read).load()


def _load_legacy(path: str) -> Any:
    """Reads the pickles of a magic number, a version, the machine, the object and its keys.

    The data of each key follows, its length before it.
    """
    places: dict[str, tuple[int, int]] = {}

    def read(key: str) -> bytes:
        start, size = places[key]
        with open(path, 'rb') as file:
            file.seek(start)
            return file.read(size)

    with open(path, 'rb') as file:
        magic, version, _ = (_Unpickler(file, path, read).load() for _ in range(3))
        if (magic, version) != (_LEGACY_MAGIC, 1001):
            raise ValueError('it does not begin as torch.save begins')
        unpickler = _Unpickler(file, path, read)
        loaded = unpickler.load()
        for key in _Unpickler(file, path, read).load():
            count = int.from_bytes(file.read(8), 'little')
            size = count * unpickler.storages[key].dtype.itemsize
            places[key] = (file.tell(), size)
            file.seek(size, io.SEEK_CUR)
    return loaded


class _Unpickler(pickle.Unpickler):
    """Runs a pickle in which nothing can be called but the few functions of this table.

    They are made anew for each file, and types are given by name: a pickle may set attributes and
    state of what it has its hands on.
    """

    def __init__(self, file: Any, path: str, read: Callable[[str], bytes]):
        super().__init__(file, encoding='utf-8')
        self.storages: dict[str, Storage] = {}
        self._path = path
        self._read = read
        # PyTorch's dictionaries carry attributes; a plain one could not.
        dictionary = type('Dict', (dict,), {})
        self._known = {
            'collections.OrderedDict': dictionary,
            'argparse.Namespace': dictionary,
            'torch._utils._rebuild_tensor': lambda *args: _tensor(*args),
            'torch._utils._rebuild_tensor_v2': lambda *args: _tensor(*args[:4]),
            'torch._utils._rebuild_parameter': lambda data, *_: data,
            'torch.Size': lambda sizes: tuple(sizes),
            'torch.device': lambda *args: args,
            **{f'torch.{name}': name for name in _DTYPES},
        }

    def find_class(self, module: str, name: str) -> Any:
        """Returns what the pickle may call by this name."""
        if f'{module}.{name}' not in self._known:
            raise UserError(
                f'{self._path}: the pickle in it calls {module}.{name}, which no weights need; '
                'nothing of it was run. If you trust the file, load it with PyTorch and save its '
                'state dict with safetensors.torch.save_file.'
            )
        return self._known[f'{module}.{name}']

    def persistent_load(self, pid: Any) -> Storage:
        """Returns the storage that a tensor names."""
        kind, dtype, key, _, count, *view = pid
        if kind != 'storage' or dtype not in _DTYPES or any(view):
            raise ValueError('a tensor has no storage of a known kind')
        if key not in self.storages:
            read = functools.partial(self._read, key)
            self.storages[key] = Storage(np.dtype(_DTYPES[dtype]), int(count), read)
        return self.storages[key]


def _tensor(storage: Storage, offset: int, shape: Any, strides: Any) -> Tensor:
    if not isinstance(storage, Storage) or len(shape) != len(strides):
        raise ValueError('a tensor is made of something else')
    return Tensor(storage, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))
