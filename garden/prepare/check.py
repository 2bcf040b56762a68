"""Finds out whether prepared data are what their manifest says."""

import concurrent.futures
import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

from garden.core import registry
from garden.prepare.base import Example, Unreadable
from garden.prepare.output import Manifest, Shard


def problems(folder: Path, manifest: Manifest, decode: bool, workers: int) -> Iterator[str]:
    """Yields what is wrong with a split, one line each: file, record, what.

    Args:
      folder: where it lies.
      manifest: what it should be.
      decode: also decodes each picture, which takes as long as an epoch of reading it.
      workers: files that are read at the same time.
    """
    yield from _metadata(folder, manifest)
    named = {shard.name for shard in manifest.shards}
    stem = manifest.shards[0].name.rsplit('-', 3)[0]
    for path in sorted(folder.glob(f'{stem}-*')):
        if path.name not in named:
            yield f'{path}: no part of the data set'
    names: Counter[str] = Counter()
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        looked_at = pool.map(
            lambda shard: _shard(folder / shard.name, shard, manifest, decode), manifest.shards
        )
        for found, there in looked_at:
            yield from found
            names.update(there)
    for name, count in names.items():
        if count > 1:
            yield f'{folder}, {manifest.split}: {name} is there {count} times'


def _metadata(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Compares the manifest with what TFDS will believe."""
    path = folder / 'dataset_info.json'
    try:
        splits = {one['name']: one for one in json.loads(path.read_text())['splits']}
        lengths = [int(n) for n in splits[manifest.split]['shardLengths']]
        json.loads((folder / 'features.json').read_text())
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f'{path}: missing or damaged ({error})'
        return
    if lengths != [shard.examples for shard in manifest.shards]:
        yield f'{path}: other numbers of examples than in the manifest of {manifest.split}'


def _shard(
    path: Path, shard: Shard, manifest: Manifest, decode: bool
) -> tuple[Sequence[str], Sequence[str]]:
    """Returns the problems of a file, and the names of its examples."""
    try:
        with open(path, 'rb') as file:
            digest = hashlib.file_digest(file, 'sha256').hexdigest()
    except OSError as error:
        return [f'{path}: {error.strerror}'], []
    found, names = [], []
    if digest != shard.sha256:
        found.append(f'{path}: its checksum is not that of the manifest')
    preparer = registry.get('preparers', manifest.kind)
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    for number in itertools.count():
        try:
            record = next(records, None)
        except tf.errors.DataLossError:
            found.append(f'{path}, record {number}: damaged; what follows it was not looked at')
            break
        if record is None:
            if number != shard.examples:
                found.append(f'{path}: {number} records instead of {shard.examples}')
            break
        try:
            example = _parsed(record)
            names.append(preparer.examine(example, manifest.facts)[0])  # type: ignore[attr-defined]
            if decode:
                preparer.decode(example)  # type: ignore[attr-defined]
        except Unreadable as error:
            found.append(f'{path}, record {number}: {error}')
    return found, names


def _parsed(record: bytes) -> Example:
    try:
        stored = tf.train.Example.FromString(record)
    except Exception as error:  # Protobuf's implementations raise errors of their own.
        raise Unreadable('is no tf.train.Example') from error
    return {name: _value(feature) for name, feature in stored.features.feature.items()}


def _value(feature: Any) -> Any:
    """Returns the value of a feature, or a list where there is not just one."""
    values = list(getattr(feature, feature.WhichOneof('kind') or 'bytes_list').value)
    return values[0] if len(values) == 1 else values
