"""Writes what was predicted: a table, the pictures beside it, and the list of unreadable files."""

import contextlib
import csv
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from etils import epath

from garden.figures import png
from garden.figures.caption import captioned
from garden.ops import image
from garden.predict.calls import UnreadableError
from garden.predict.columns import PICTURE, Columns

TABLE = 'predictions.csv'
MARKER = 'predictions.json'
_LINES = '.jsonl'


def is_table(path: epath.Path) -> bool:
    """Whether an output is a table alone, and not a folder."""
    return path.suffix in ('.csv', _LINES)


def unreadable_beside(table: epath.Path) -> epath.Path:
    """Returns the file that lists what could not be read, beside a table."""
    return table.with_name(
        'unreadable.csv' if table.name == TABLE else f'{table.name}.unreadable.csv'
    )


class Output(contextlib.ExitStack):
    """An open table; use it as a context.

    Args:
      folder: where to write.
      table: the file name of the table; what ends in .jsonl is JSON lines, all else CSV.
      columns: the columns.
      numbered: whether a file holds several examples, which are numbered.
      draws: whether pictures are drawn with what was found under them.

    Attributes:
      rows: how many were written.
      unreadable: how many files could not be used.
    """

    def __init__(
        self, folder: epath.Path, table: str, columns: Columns, numbered: bool, draws: bool
    ):
        super().__init__()
        self.rows = 0
        self.unreadable = 0
        self._folder = folder
        self._columns = columns
        self._numbered = numbered
        self._draws = draws and columns.captions and not columns.files
        header = ['file', *(['example'] if numbered else []), *columns.header()]
        header += ['drawn'] if self._draws else []
        self._write = self._open(table, header)
        self._refused = unreadable_beside(folder / table).name
        self._write_refused: Callable[[Mapping[str, Any]], None] | None = None

    def _open(self, name: str, header: Sequence[str]) -> Callable[[Mapping[str, Any]], None]:
        file = self.enter_context((self._folder / name).open('w'))
        if name.endswith(_LINES):
            return lambda row: print(json.dumps(_finite(row), ensure_ascii=False), file=file)
        writer = csv.DictWriter(file, header, lineterminator='\n')
        writer.writeheader()
        return lambda row: writer.writerow(self._columns.flat(row))

    def add(self, path: epath.Path, example: int, outputs: Mapping[str, Any], data: bytes) -> None:
        """Writes one row.

        Args:
          path: the file.
          example: which of its examples this is.
          outputs: the outputs of the example, by name.
          data: the bytes of the file, to be drawn.
        """
        values = self._columns.values(outputs)
        row: dict[str, Any] = {'file': str(path)}
        row |= {'example': example} if self._numbered else {}
        row |= values
        for name in self._columns.files:
            row[name] = self._file(name, path, outputs[name])
        if self._draws:
            row['drawn'] = self._drawn(path, data, self._columns.lines(values))
        self._write(row)
        self.rows += 1

    def refuse(self, path: epath.Path, reason: UnreadableError) -> None:
        """Notes a file that cannot be used."""
        if self._write_refused is None:
            self._write_refused = self._open(self._refused, ['file', 'reason'])
        self._write_refused({'file': str(path), 'reason': str(reason)})
        self.unreadable += 1

    def _drawn(self, path: epath.Path, data: bytes, lines: Sequence[Any]) -> str:
        try:
            picture = image.pixels(tf.constant(data)).numpy()
        except tf.errors.InvalidArgumentError:  # Not every file is a picture.
            return ''
        return self._picture(path, captioned(picture, lines))

    def _file(self, name: str, path: epath.Path, value: np.ndarray) -> str:
        if self._columns.kinds[name] == PICTURE:
            return self._picture(path, np.broadcast_to(value, (*value.shape[:2], 3)), f'_{name}')
        file = self._place('arrays') / f'{self._stem(path)}_{name}.npy'
        with file.open('wb') as opened:
            np.save(opened, value)
        return f'arrays/{file.name}'

    def _picture(self, path: epath.Path, picture: np.ndarray, ending: str = '') -> str:
        file = self._place('pictures') / f'{self._stem(path)}{ending}.png'
        file.write_bytes(png.encode(np.ascontiguousarray(picture)))
        return f'pictures/{file.name}'

    def _place(self, name: str) -> epath.Path:
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        return folder

    def _stem(self, path: epath.Path) -> str:
        # Files of several folders, or a .png and a .jpg, may have one name.
        return f'{self.rows + 1:06}_{path.stem}'


def _finite(value: Any) -> Any:
    """Returns a value as JSON has it, which knows no NaN: null takes its place."""
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
