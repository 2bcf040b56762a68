"""The pictures that a run has drawn: the last of each name, and how they came to be."""

import io
from collections.abc import Sequence
from pathlib import Path

from garden.report import events
from garden.report.page import Gallery, Picture
from garden.report.record import Record
from garden.report.text import title

_OWN = 'learning_curves'  # The page draws its own.
_IN_A_STRIP = 8
_HEIGHT = 448  # Pixels of a picture in a strip.


def latest(record: Record, prefix: str = '') -> tuple[list[Picture], list[str]]:
    """Returns the last picture of each name, and the names of files that hold no picture.

    Args:
      record: the run.
      prefix: what the names of the pictures begin with.
    """
    found, broken = [], []
    for path in sorted(Path(record.folder.pictures).glob('*.png')):
        phase, name = _split(path.stem, [phase.name for phase in record.phases])
        if name == _OWN:
            continue
        png = path.read_bytes()
        if not _whole(png):
            broken.append(path.name)
            continue
        caption = title(name) if len(record.phases) < 2 else f'{title(name)}, phase {phase}'
        found.append(Picture(f'{prefix}{path.stem}', png, caption))
    return found, broken


def over_steps(record: Record) -> list[Gallery]:
    """Returns a strip for each picture that has changed from evaluation to evaluation."""
    strips = []
    for phase in record.phases:
        stored = events.pictures(Path(record.folder.events(phase.name)) / 'eval')
        for name, by_step in sorted(stored.items()):
            chosen = events.spread(list(by_step), _IN_A_STRIP)
            pngs = {step: by_step[step].png() for step in chosen}
            if len(set(pngs.values())) < 2 or not all(map(_whole, pngs.values())):
                continue
            shown = [
                Picture(
                    f'{phase.name}_{name}_step_{step}',
                    _shrunk(png),
                    f'step {step:,}',
                    f'{title(name)} at step {step:,}',
                )
                for step, png in pngs.items()
            ]
            several = f', phase {phase.name}' if len(record.phases) > 1 else ''
            strips.append(Gallery(shown, f'{title(name)}{several}', 'strip'))
    return strips


def _split(stem: str, phases: Sequence[str]) -> tuple[str, str]:
    """Returns phase and name of a picture, given the stem of its file."""
    for phase in sorted(phases, key=len, reverse=True):
        if stem.startswith(f'{phase}_'):
            return phase, stem.removeprefix(f'{phase}_')
    return '', stem


def _whole(png: bytes) -> bool:
    """Whether the bytes are a picture, and not what a kill has left of one."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(png)) as image:
            image.load()
            return image.format == 'PNG'
    except (OSError, SyntaxError):
        return False


def _shrunk(png: bytes) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        if image.height <= _HEIGHT:
            return png
        image.thumbnail((4 * _HEIGHT, _HEIGHT))
        buffer = io.BytesIO()
        image.save(buffer, format='PNG', optimize=True)
    return buffer.getvalue()
