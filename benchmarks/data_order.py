"""What an order that can be gone on from at any step costs, against tf.data's shuffle buffer.

    python benchmarks/data_order.py [--rounds=9] [--images=640] [--only=arrays,files]

For each kind of storage (arrays, files, indexed and streamed TFRecords) two pipelines read the same
pictures, made here from noise, and decode, crop and normalise them by the same code. One takes its
order from seed and position, as every data loader does; the other is what one writes by hand:
shuffle, repeat, map, batch, with a buffer that a killed run loses. They work in turn within one
process. The figure is the first one's throughput as a part of the second one's, of the median of
the pairs of turns, with the quartiles; its goal is 0.98.
"""

import argparse
import functools
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf

from garden.core.feed import Feed, example_seed
from garden.dataloaders.image_classification import ImageClassification
from garden.sources.base import Source
from garden.sources.files import ImageFolder
from garden.sources.memory import Arrays
from garden.sources.tfrecord import TFRecord

_BATCH = 32
_PREFETCH = 2
_AHEAD = 8  # Batches that a pipeline may have made before its turn, at most.
_CLASSES = 4
_GRAIN = 8  # Of 255; makes a picture of 433 pixels about 110 kB, ImageNet's mean.
_SHARDS = 32
_COPIES = 8  # So often a record is stored: a stream's epoch is not to begin anew all the time.
_AUTOTUNE = tf.data.AUTOTUNE
_NAMED = {'image': ('image', 'string', ()), 'label': ('label', 'int64', ())}


def pictures(count: int, side: int) -> np.ndarray:
    """Returns pictures, uint8 [count, side, side, 3], whose JPEGs are as long as photographs'."""
    generator = np.random.default_rng(0)

    def picture() -> np.ndarray:
        smooth = tf.image.resize(generator.uniform(0, 255, (8, 8, 3)), [side, side], 'bicubic')
        grain = generator.normal(scale=_GRAIN, size=(side, side, 1))
        return np.clip(smooth + grain, 0, 255).astype(np.uint8)

    return np.stack([picture() for _ in range(count)])


def write(folder: Path, images: np.ndarray) -> None:
    """Writes the pictures as JPEG files in folders of classes, and as TFRecords."""
    writers = [tf.io.TFRecordWriter(str(folder / f'{i}.tfrecord')) for i in range(_SHARDS)]
    for number, image in enumerate(images):
        content = tf.io.encode_jpeg(image, quality=95).numpy()
        path = folder / 'files' / str(number % _CLASSES) / f'{number}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        features = {
            'image': tf.train.Feature(bytes_list=tf.train.BytesList(value=[content])),
            'label': tf.train.Feature(int64_list=tf.train.Int64List(value=[number % _CLASSES])),
        }
        example = tf.train.Example(features=tf.train.Features(feature=features))
        for copy in range(_COPIES):
            writers[(number + copy * len(images)) % _SHARDS].write(example.SerializeToString())
    for writer in writers:
        writer.close()


def by_hand(loader: ImageClassification, raw: tf.data.Dataset, load: Callable) -> tf.data.Dataset:
    """Returns the usual pipeline over stored examples, which `load` makes raw ones of."""

    def element(number: tf.Tensor, stored: object) -> dict[str, tf.Tensor]:
        return loader.parse(load(stored), example_seed(number, 0))

    shuffled = raw.shuffle(1024, seed=0).repeat().enumerate()
    batches = shuffled.map(element, num_parallel_calls=_AUTOTUNE).batch(_BATCH, drop_remainder=True)
    return batches.prefetch(_PREFETCH)


def pipelines(folder: Path, images: np.ndarray) -> dict[str, Callable]:
    """Returns for each kind of storage what makes the two pipelines."""
    labels = np.arange(len(images)) % _CLASSES

    def loader(source: Source) -> ImageClassification:
        return ImageClassification(source, _BATCH, training=True, prefetch=_PREFETCH)

    def arrays() -> tuple:
        source = Arrays({'image': images, 'label': labels})
        raw = tf.data.Dataset.from_tensor_slices({'image': images, 'label': labels})
        return loader(source), raw, lambda stored: stored

    def files() -> tuple:
        paths = sorted(map(str, folder.glob('files/*/*.jpg')))
        classes = [int(Path(path).parent.name) for path in paths]
        raw = tf.data.Dataset.from_tensor_slices((paths, classes))
        source = ImageFolder(str(folder), 'files')
        return loader(source), raw, lambda s: {'image': tf.io.read_file(s[0]), 'label': s[1]}

    def records(random_access: bool) -> tuple:
        source = TFRecord(str(folder / '*.tfrecord'), '', _NAMED, random_access=random_access)
        raw = tf.data.Dataset.from_tensor_slices(sorted(map(str, folder.glob('*.tfrecord'))))
        raw = raw.interleave(
            tf.data.TFRecordDataset, cycle_length=_SHARDS, num_parallel_calls=_AUTOTUNE
        )
        return loader(source), raw, source.parse

    return {
        'arrays': arrays,
        'files': files,
        'indexed': functools.partial(records, True),
        'stream': functools.partial(records, False),
    }


def work(batches: Iterator, count: int) -> tuple[float, float]:
    """Draws batches; returns the wall and the processor time of one.

    What is made ahead for the next turn is counted as processor time of this one, which found as
    much made before; the wall clock starts when that is used up.
    """
    cpu = time.process_time()
    for _ in itertools.islice(batches, _AHEAD):
        pass
    start = time.perf_counter()
    for _ in itertools.islice(batches, count):
        pass
    wall = time.perf_counter() - start
    while True:
        before = time.process_time()
        time.sleep(0.1)
        if time.process_time() - before < 0.004:
            return wall / count, (time.process_time() - cpu) / (count + _AHEAD)


def compare(name: str, make: Callable, rounds: int, images: int) -> None:
    """Prints the ratios for one kind of storage."""
    loader, raw, load = make()
    pair = {'exact': iter(loader(Feed())), 'by hand': iter(by_hand(loader, raw, load))}
    for batches in pair.values():
        work(batches, 1)
    times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in pair}
    for number in range(rounds):
        for kind in sorted(pair, reverse=bool(number % 2)):
            times[kind].append(work(pair[kind], images // _BATCH))
    for i, kind in enumerate(('wall', 'processor')):
        ratios = [h[i] / e[i] for h, e in zip(times['by hand'], times['exact'], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        each = 1000 * statistics.median(e[i] for e in times['exact']) / _BATCH
        print(
            f'{name:8} {kind:9} time: {each:6.3f} ms a picture; throughput of the exact order '
            f'{middle:.3f} of the other (quartiles {low:.3f} to {high:.3f})',
            flush=True,
        )


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--images', type=int, default=640, help='pictures of a turn')
    parser.add_argument('--side', type=int, default=433, help='of the pictures, in pixels')
    parser.add_argument('--files', type=int, default=512, help='different pictures')
    parser.add_argument('--only', default='arrays,files,indexed,stream')
    args = parser.parse_args()
    images = pictures(args.files, args.side)
    with tempfile.TemporaryDirectory() as scratch:
        write(Path(scratch), images)
        makers = pipelines(Path(scratch), images)
        for name in args.only.split(','):
            compare(name, makers[name], args.rounds, args.images)


if __name__ == '__main__':
    main()
