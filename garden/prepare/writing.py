"""Writes the shards of a split, several at a time, and goes on where an earlier process stopped."""

import concurrent.futures
import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import tensorflow as tf

from garden.core.errors import StorageError, UserError
from garden.prepare.base import Example, Item, Preparer, Unreadable
from garden.prepare.output import Manifest, Output, Shard
from garden.prepare.plan import Plan

_FRAME = 16  # Bytes of a record around its payload.


class Watcher(Protocol):
    """Is told of the progress."""

    def written(self, shard: Shard, before: bool) -> None:
        """A shard is in place, or was there `before`."""

    def refused(self, name: str, why: str) -> None:
        """The file of an example cannot be used."""


def write(
    preparer: Preparer,
    plan: Plan,
    output: Output,
    skip_bad: bool,
    workers: int,
    watcher: Watcher,
) -> Manifest:
    """Writes what is missing of a split, and then its manifest.

    Shards are shared out to threads: reading, writing and checksums, which take the time, leave
    Python's lock, and no process is left behind by a kill.

    Args:
      preparer: makes the examples.
      plan: what is to be written.
      output: where.
      skip_bad: leaves files out that cannot be used, instead of refusing to finish.
      workers: shards that are written at the same time; each holds one in memory.
      watcher: is told of the progress.

    Raises:
      UserError: if files cannot be used.
      StorageError: if something cannot be written; what is done stays.
    """
    stop = threading.Event()

    def task(name: str) -> tuple[Shard, bool]:
        before = output.done(name)
        if before and (skip_bad or not before.left_out):
            return before, True
        made = _shard(output.work / name, plan.shards[name], preparer, plan.facts, stop)
        if skip_bad or not made.left_out:
            output.place(made)
        return made, False

    with output.begun(plan):
        output.require_space(plan)
        with concurrent.futures.ThreadPoolExecutor(workers) as pool:
            waiting = [pool.submit(task, name) for name in plan.shards]
            try:
                for one in concurrent.futures.as_completed(waiting):
                    shard, before = one.result()
                    watcher.written(shard, before)
                    for name, why in shard.left_out:
                        watcher.refused(name, why)
            except BaseException:
                stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        shards = [one.result()[0] for one in waiting]
        bad = sum(len(shard.left_out) for shard in shards)
        if bad and not skip_bad:
            raise UserError(
                f'{plan.split}: {bad:,} of {plan.examples:,} files cannot be used; they are listed '
                'above. Mend them and run the same command, or leave them out with --skip_bad.'
            )
        manifest = Manifest(plan.kind, plan.split, plan.digest, plan.seed, plan.facts, shards)
        output.finish(manifest, preparer)
    return manifest


def _shard(
    path: Path,
    items: Sequence[Item],
    preparer: Preparer,
    facts: Mapping[str, Any],
    stop: threading.Event,
) -> Shard:
    """Writes one shard where `path` says."""
    examples: dict[str, Example] = {}
    remarks, left_out = [], []
    # Read in the order of the source, which spares a disk's head most of its way.
    for item in sorted(items, key=lambda item: (item.file.path, item.file.offset)):
        if stop.is_set():
            raise concurrent.futures.CancelledError
        example = preparer.example(item, item.file.read())
        try:
            _, remark = preparer.examine(example, facts)
        except Unreadable as error:
            left_out.append((item.name, str(error)))
            continue
        if remark:
            remarks.append((item.name, remark))
        examples[item.name] = example
    ordered = [examples[item.name] for item in items if item.name in examples]
    payload = _records(path, ordered)
    with open(path, 'rb') as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    size = path.stat().st_size
    if size != payload + _FRAME * len(ordered):
        raise StorageError(f'{path} was cut off while it was written.')
    return Shard(path.name, len(ordered), payload, size, digest, sorted(remarks), sorted(left_out))


def _records(path: Path, examples: Sequence[Example]) -> int:
    """Writes a TFRecord file, and returns the bytes of the records in it."""
    size = 0
    try:
        with tf.io.TFRecordWriter(os.fspath(path)) as writer:
            for example in examples:
                record = _serialized(example)
                size += len(record)
                writer.write(record)
    except tf.errors.OpError as error:
        raise StorageError(f'{path} cannot be written: {error.message}.') from error
    return size


def _serialized(example: Example) -> bytes:
    """Returns an example as TFDS stores it, the same bytes each time."""
    made = tf.train.Example()
    for name, value in example.items():
        values = value if isinstance(value, Sequence) and not isinstance(value, bytes) else [value]
        feature = made.features.feature[name]
        if all(isinstance(one, bytes) for one in values):
            feature.bytes_list.value.extend(values)
        elif all(isinstance(one, int) for one in values):
            feature.int64_list.value.extend(values)
        else:
            feature.float_list.value.extend(values)
    return made.SerializeToString(deterministic=True)
