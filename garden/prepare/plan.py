"""What is to be written where: a function of the source and the settings, and of nothing else."""

import dataclasses
import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from garden.core.errors import UserError
from garden.prepare.base import Item, Preparer, Survey

_LARGEST_SHARD = 192 << 20


@dataclasses.dataclass(frozen=True)
class Plan:
    """The shards of a split.

    Attributes:
      kind: the registered name of the preparer.
      split: the name of the split.
      seed: of the order.
      facts: see Preparer.
      shards: the examples of each shard by its file name, in the order of writing.
      digest: stands for all of it; two plans with one digest come to the same files.
    """

    kind: str
    split: str
    seed: int
    facts: Mapping[str, Any]
    shards: Mapping[str, Sequence[Item]]
    digest: str

    @property
    def examples(self) -> int:
        """The number of examples."""
        return sum(map(len, self.shards.values()))


def plan(
    preparer: Preparer, kind: str, split: str, survey: Survey, seed: int, shards: int | None
) -> Plan:
    """Orders the examples by the hashes of their names, and cuts the row into shards.

    Args:
      preparer: the preparer.
      kind: its registered name.
      split: the split.
      survey: its examples.
      seed: another one gives another order.
      shards: their number; None for the power of two that makes them 96 to 192 MiB.

    Raises:
      UserError: if two examples have one name, or there are fewer examples than shards.
    """
    items = sorted(survey.items, key=lambda item: _draw(seed, item.name))
    for one, other in itertools.pairwise(items):  # Equal names are neighbours.
        if one.name == other.name:
            raise UserError(
                f'{split}: {one.file.name} and {other.file.name} are both called {one.name}.'
            )
    size = sum(item.file.size for item in items)
    count = shards or 2 ** max(0, math.ceil(math.log2(max(size, 1) / _LARGEST_SHARD)))
    if count > len(items):
        raise UserError(f'--shards={count}: {split} has only {len(items):,} examples.')
    bounds = [round(len(items) * n / count) for n in range(count + 1)]
    stem = f'{preparer.dataset[0]}-{split}.tfrecord'  # As TFDS names them.
    names = [f'{stem}-{n:05}-of-{count:05}' for n in range(count)]
    digest = hashlib.sha256(json.dumps([kind, split, seed, count, preparer.facts]).encode())
    for item in items:
        digest.update(json.dumps([item.name, item.file.size, item.facts]).encode())
    cut = {name: items[a:b] for name, (a, b) in zip(names, itertools.pairwise(bounds), strict=True)}
    return Plan(kind, split, seed, preparer.facts, cut, digest.hexdigest())


def _draw(seed: int, name: str) -> bytes:
    return hashlib.blake2b(f'{seed}:{name}'.encode(), digest_size=16).digest()
