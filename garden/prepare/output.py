"""The folder that a data set is prepared in, and what in it outlives a kill.

While a split is made, its work folder holds the digest of the plan, the shard that is being
written, and of each shard that is done a file of facts; a shard moves into place when it is whole.
The manifest is written last: a split that has one is finished.
"""

import contextlib
import dataclasses
import fcntl
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from garden.core.errors import StorageError, UserError
from garden.prepare.base import Preparer
from garden.prepare.plan import Plan

_MANIFEST = '.manifest.json'
_RECORD_SLACK = 256  # Bytes of a record beyond the file in it; more than are needed.


@dataclasses.dataclass(frozen=True)
class Shard:
    """A shard that is done.

    Attributes:
      name: the file.
      examples: the number of its records.
      payload: the bytes of its records.
      size: the bytes of the file.
      sha256: of the file, in hexadecimal.
      remarks: the examples with something unusual: name, and what.
      left_out: the files that could not be used: name, and why.
    """

    name: str
    examples: int
    payload: int
    size: int
    sha256: str
    remarks: Sequence[Sequence[str]]
    left_out: Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a finished split consists of.

    Attributes:
      kind: the registered name of the preparer.
      split: the split.
      digest: see Plan.
      seed: see Plan.
      facts: see Preparer.
      shards: the shards.
    """

    kind: str
    split: str
    digest: str
    seed: int
    facts: Mapping[str, Any]
    shards: Sequence[Shard]

    @property
    def examples(self) -> int:
        """The number of examples."""
        return sum(shard.examples for shard in self.shards)


class Output:
    """The place of one split.

    Args:
      folder: the folder of the data set and its version.
      split: the split.
    """

    def __init__(self, folder: Path, split: str):
        self.folder = folder
        self.split = split
        self.work = folder / f'.preparing-{split}'
        self._manifest = folder / f'{split}{_MANIFEST}'

    def manifest(self) -> Manifest | None:
        """Returns the manifest of the split if it is finished and its files are there."""
        found = read_manifest(self._manifest) if self._manifest.exists() else None
        if found is None or any(not self._whole(shard) for shard in found.shards):
            return None
        shutil.rmtree(self.work, ignore_errors=True)  # A kill may have come before this.
        return found

    @contextlib.contextmanager
    def begun(self, plan: Plan) -> Iterator[None]:
        """Holds the work folder; another process that wants it is refused.

        Raises:
          UserError: if the folder holds something else, or another process is at work.
          StorageError: if nothing can be written.
        """
        self._refuse_strangers()
        self._refuse_other_facts(plan.facts)
        with _storage(self.folder):
            self.work.mkdir(parents=True, exist_ok=True)
            lock = open(self.work / 'lock', 'w')  # noqa: SIM115 - it is held until the end.
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(f'{self.folder}: another process is at {self.split}.') from error
            self._begin(plan)
            yield
            shutil.rmtree(self.work, ignore_errors=True)

    def done(self, name: str) -> Shard | None:
        """Returns the facts of a shard that is in place, None if it is not."""
        try:
            shard = _shard(json.loads((self.work / f'{name}.json').read_text()))
        except (OSError, ValueError):
            return None
        return shard if self._whole(shard) else None

    def place(self, shard: Shard) -> None:
        """Moves a shard from the work folder to where it belongs.

        Raises:
          StorageError: if it cannot be written.
        """
        _write(self.work / f'{shard.name}.json', dataclasses.asdict(shard))
        with _storage(self.folder):
            os.replace(self.work / shard.name, self.folder / shard.name)

    def finish(self, manifest: Manifest, preparer: Preparer) -> None:
        """Writes what TFDS needs, and then the manifest.

        Raises:
          StorageError: if it cannot be written.
        """
        others = [other for other in manifests(self.folder) if other.split != self.split]
        splits = sorted([*others, manifest], key=lambda one: one.split)
        with _storage(self.folder), tempfile.TemporaryDirectory(dir=self.work) as made:
            _describe(Path(made), preparer, splits)
            for path in Path(made).iterdir():
                if '.tfrecord-' not in path.name:
                    os.replace(path, self.folder / path.name)
        _write(self._manifest, dataclasses.asdict(manifest))

    def require_space(self, plan: Plan) -> None:
        """Makes sure that what is missing fits.

        Raises:
          StorageError: if it does not.
        """
        missing = [items for name, items in plan.shards.items() if self.done(name) is None]
        needed = sum(item.file.size + _RECORD_SLACK for items in missing for item in items)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise StorageError(
                f'{self.folder} has {free / 1e9:,.1f} GB free; {self.split} needs '
                f'{needed / 1e9:,.1f} GB more.'
            )

    def _whole(self, shard: Shard) -> bool:
        path = self.folder / shard.name
        return path.is_file() and path.stat().st_size == shard.size

    def _refuse_strangers(self) -> None:
        """Refuses a folder that something else has filled."""
        try:
            there = {path.name for path in self.folder.iterdir()}
        except FileNotFoundError:
            return
        except OSError as error:
            raise UserError(f'{self.folder} cannot be read: {error.strerror}.') from error
        own = {path for path in there if path.startswith('.preparing-') or path.endswith(_MANIFEST)}
        if there and not own:
            raise UserError(
                f'{self.folder} holds something that was not prepared here '
                f'({min(there)}): give another --output.'
            )

    def _refuse_other_facts(self, facts: Mapping[str, Any]) -> None:
        """Refuses a split that the finished ones do not go with."""
        for other in manifests(self.folder):
            if other.facts != facts:
                names = ', '.join(key for key in facts if facts[key] != other.facts.get(key))
                raise UserError(
                    f'{self.folder}: {other.split} was prepared with other {names} than those of '
                    f'this source. Prepare both from one source, or give another --output.'
                )

    def _begin(self, plan: Plan) -> None:
        """Goes on with what an earlier process began, or with a finished split that lost a file."""
        note = self.work / 'plan.json'
        if self._manifest.exists():
            old = read_manifest(self._manifest)
            for shard in old.shards:
                _write(self.work / f'{shard.name}.json', dataclasses.asdict(shard))
            _write(note, {'digest': old.digest})
            self._manifest.unlink()
        if note.exists() and json.loads(note.read_text())['digest'] != plan.digest:
            raise UserError(
                f'{self.folder}: {self.split} was begun from another source or with other '
                f'settings. Repeat those, or remove {self.work} and the files '
                f'{next(iter(plan.shards)).rsplit("-", 3)[0]}-*.'
            )
        _write(note, {'digest': plan.digest})


def manifests(folder: Path) -> list[Manifest]:
    """Returns the manifests in a folder, by the names of their splits."""
    return [read_manifest(path) for path in sorted(folder.glob(f'*{_MANIFEST}'))]


def read_manifest(path: Path) -> Manifest:
    """Returns what a manifest says.

    Raises:
      UserError: if it is damaged.
    """
    try:
        content = json.loads(path.read_text())
        return Manifest(**content | {'shards': [_shard(one) for one in content['shards']]})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f'{path} is damaged ({error}): remove it and prepare again.') from error


def _shard(content: Mapping[str, Any]) -> Shard:
    return Shard(**content)


def _describe(folder: Path, preparer: Preparer, splits: Sequence[Manifest]) -> None:
    """Writes the files by which TFDS knows a data set, beside empty ones that stand for shards."""
    import tensorflow_datasets as tfds

    name, version = preparer.dataset
    for one in splits:
        (folder / one.shards[0].name).touch()
    infos = [
        tfds.core.SplitInfo(
            name=one.split,
            shard_lengths=[shard.examples for shard in one.shards],
            num_bytes=sum(shard.payload for shard in one.shards),
            filename_template=tfds.core.ShardedFileTemplate(
                data_dir=folder, dataset_name=name, split=one.split, filetype_suffix='tfrecord'
            ),
        )
        for one in splits
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        tfds.folder_dataset.write_metadata(
            data_dir=folder, version=version, split_infos=infos, check_data=False, **preparer.info()
        )


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a JSON file in one go."""
    unfinished = path.with_name(f'.{path.name}.part')
    with _storage(path):
        with open(unfinished, 'w') as file:
            file.write(json.dumps(content, indent=1) + '\n')
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)


@contextlib.contextmanager
def _storage(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f'{path} cannot be written: {error.strerror or error}.') from error
