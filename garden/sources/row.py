"""The row of records that a stream reads: whole shards, cut where an example is excluded.

TensorFlow's reader does not get past a damaged record. What follows one is read from the byte on at
which it begins, and what replaces one is a piece of one record.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from garden.core.bad_examples import replacements
from garden.sources.records import Shard, shard_offsets


class Piece(NamedTuple):
    """Consecutive records of a file.

    Attributes:
      path: the file.
      offset: a byte at which a record begins, at the piece's beginning or before it.
      skip: the records between that byte and the piece.
      length: the records of the piece.
      number: the number of its first record in the file.
      first: the number of its first record in the row of all records, none excluded.
      shard: the number of the shard in whose place it is read.
    """

    path: str
    offset: int
    skip: int
    length: int
    number: int
    first: int
    shard: int


def pieces(shards: Sequence[Shard], excluded: Sequence[int], replace: bool) -> list[Piece]:
    """Returns the row of pieces to read.

    Args:
      shards: the files; each length must be known.
      excluded: the records to leave out, by their number in the row of all, in rising order.
      replace: whether another record is read where one is left out (see `replacements`).

    Raises:
      UserError: if a file that holds an excluded record is not a whole TFRecord file.
    """
    lengths = [shard.length or 0 for shard in shards]
    first = [0, *itertools.accumulate(lengths)]
    chosen = replacements(excluded, first[-1]) if excluded and replace else {}

    def piece(index: int, length: int, place: int) -> Piece:
        shard = next(n for n in range(len(shards)) if first[n] <= index < first[n + 1])
        inside = index - first[shard]
        offset = int(shard_offsets(shards[shard])[inside])
        return Piece(
            shards[shard].path, offset, 0, length, shards[shard].skip + inside, index, place
        )

    def cut(number: int, bad: Sequence[int]) -> Iterator[Piece]:
        begin = first[number]
        for index in (*bad, first[number + 1]):
            if index > begin:
                yield piece(begin, index - begin, number)
            if index in chosen:
                yield piece(chosen[index], 1, number)
            begin = index + 1

    row: list[Piece] = []
    for number, shard in enumerate(shards):
        bad = [index for index in excluded if first[number] <= index < first[number + 1]]
        whole = Piece(shard.path, 0, shard.skip, lengths[number], shard.skip, first[number], number)
        row += cut(number, bad) if bad else [whole]
    return row


def as_tensors(row: Sequence[Piece]) -> Piece:
    """Returns a row of pieces as one piece whose attributes are vectors."""
    with tf.init_scope(), tf.device('CPU'):
        path, *numbers = zip(*row, strict=True)
        return Piece(tf.constant(path), *(tf.constant(n, tf.int64) for n in numbers))
