"""The bare JPEG decode of the files of a folder, whole pictures, by tf.data in one thread."""

import argparse
from pathlib import Path

import tensorflow as tf
from turns import serve


def main() -> None:
    """Serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--folder', type=Path, required=True)
    files = sorted(map(str, parser.parse_args().folder.rglob('*.jpg')))

    def decode(path: tf.Tensor) -> tf.Tensor:
        picture = tf.io.read_file(path)
        decoded = tf.io.decode_jpeg(picture, channels=3, dct_method='INTEGER_ACCURATE')
        return tf.reduce_max(decoded[0, 0])

    pictures = iter(tf.data.Dataset.from_tensor_slices(files).repeat().map(decode).batch(32))

    def work(count: int) -> None:
        for _ in range(count // 32):
            next(pictures)

    work(32)
    serve(work)


if __name__ == '__main__':
    main()
