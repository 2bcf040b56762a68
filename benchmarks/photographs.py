"""A folder of JPEG photographs like ImageNet's, made of those that Python packages bring along."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
from sklearn.datasets import load_sample_images

SIZE = (500, 375)  # The commonest size in ImageNet.
MEAN_BYTES = 110_000  # 138 GiB of 1,281,167 training images.
_CLASSES = 4


def write(folder: Path, count: int, seed: int = 0) -> None:
    """Writes `count` different photographs into class folders below a folder.

    Each is a part of one of the photographs that scikit-learn and scikit-image bring, resized to
    500 x 375 and encoded with the quality at which all together come nearest to 110 kB each.
    """
    generator = np.random.default_rng(seed)
    wholes = _wholes()
    parts = [_part(wholes[index % len(wholes)], generator) for index in range(count)]
    sizes = {quality: _mean_bytes(parts[:16], quality) for quality in range(80, 100, 2)}
    quality = min(sizes, key=lambda quality: abs(sizes[quality] - MEAN_BYTES))
    for index, part in enumerate(parts):
        path = folder / f'class_{index % _CLASSES}' / f'{index}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        part.save(path, quality=quality)


def _wholes() -> list[PIL.Image.Image]:
    import skimage.data

    pictures = [
        *load_sample_images().images,
        *(getattr(skimage.data, name)() for name in ('astronaut', 'chelsea', 'coffee', 'rocket')),
    ]
    return [PIL.Image.fromarray(picture) for picture in pictures]


def _part(whole: PIL.Image.Image, generator: np.random.Generator) -> PIL.Image.Image:
    """Returns a random part, at least 3/4 of the sides, mirrored or not, in the common size."""
    width = min(whole.width, whole.height * SIZE[0] / SIZE[1]) * generator.uniform(0.75, 1)
    height = width * SIZE[1] / SIZE[0]
    left = generator.uniform(0, whole.width - width)
    top = generator.uniform(0, whole.height - height)
    box = (left, top, left + width, top + height)
    part = whole.resize(SIZE, PIL.Image.Resampling.LANCZOS, box)
    if generator.random() < 0.5:
        part = part.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
    return part


def _mean_bytes(pictures: list[PIL.Image.Image], quality: int) -> float:
    sizes = []
    for picture in pictures:
        buffer = io.BytesIO()
        picture.save(buffer, 'jpeg', quality=quality)
        sizes.append(len(buffer.getvalue()))
    return float(np.mean(sizes))
