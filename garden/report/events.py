"""The pictures of a run over its steps, out of TensorBoard's event files, without TensorFlow.

TensorBoard's own loaders read their records with TensorFlow where it is installed, which takes
longer to import than a page takes to make. The records are unpacked here; what is in them is left
to TensorBoard's protocol buffers.
"""

import dataclasses
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

_HEADER = struct.Struct('<Q4x')  # The length of a record, and its checksum.
_CHECKSUM = 4


@dataclasses.dataclass(frozen=True)
class Stored:
    """A picture in an event file.

    Attributes:
      path: the file.
      offset: where its record begins.
      size: the length of the record, in bytes.
      tag: the picture's name.
    """

    path: Path
    offset: int
    size: int
    tag: str

    def png(self) -> bytes:
        """Returns the picture as the bytes of its PNG file."""
        with self.path.open('rb') as file:
            file.seek(self.offset)
            event = _event(file.read(self.size))
        tensor = next(value.tensor for value in event.summary.value if value.tag == self.tag)
        return tensor.string_val[2]


def pictures(folder: Path) -> Mapping[str, Mapping[int, Stored]]:
    """Returns where the pictures of each name lie, by step, in the order of the steps.

    What a session that went back has made anew takes the place of what was there, and what lies
    beyond the step it went back to is left out, as in TensorBoard.

    Args:
      folder: that of the event files; it need not be there.
    """
    found: dict[str, dict[int, Stored]] = {}
    for path in sorted(folder.glob('*tfevents*')):
        for offset, record in _records(path):
            event = _event(record)
            if event.session_log.status == event.session_log.START:
                for steps in found.values():
                    for step in [step for step in steps if step >= event.step]:
                        del steps[step]
            for value in event.summary.value:
                # Width, height, then one PNG for each picture of a batch.
                is_picture = value.metadata.plugin_data.plugin_name == 'images'
                if is_picture and len(value.tensor.string_val) > 2:
                    stored = Stored(path, offset, len(record), value.tag)
                    found.setdefault(value.tag, {})[event.step] = stored
    return {tag: dict(sorted(steps.items())) for tag, steps in found.items() if steps}


def spread(steps: Sequence[int], count: int) -> list[int]:
    """Returns at most `count` of the steps, the first and the last among them, evenly spread."""
    if len(steps) <= count:
        return list(steps)
    return [steps[round(i * (len(steps) - 1) / (count - 1))] for i in range(count)]


def _event(record: bytes) -> Any:
    from tensorboard.compat.proto import event_pb2

    return event_pb2.Event.FromString(record)


def _records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yields where the records of a file begin, and what they hold; one cut short ends the file."""
    with path.open('rb') as file:
        while (size := _size(file)) is not None:
            offset = file.tell()
            record = file.read(size)
            if len(record) < size or len(file.read(_CHECKSUM)) < _CHECKSUM:
                return
            yield offset, record


def _size(file: BinaryIO) -> int | None:
    header = file.read(_HEADER.size)
    return _HEADER.unpack(header)[0] if len(header) == _HEADER.size else None
