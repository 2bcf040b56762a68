"""PNG files."""

import io

import numpy as np


def encode(image: np.ndarray) -> bytes:
    """Returns a uint8 image [h, w, 3] as the bytes of a PNG file."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, format='PNG', optimize=True)
    return buffer.getvalue()
