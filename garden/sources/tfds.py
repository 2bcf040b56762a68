"""TFDS data sets, read from where they are prepared. Nothing is ever downloaded."""

import contextlib
import functools
import importlib
import io
import os
import pkgutil
import re
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from garden.core import registry
from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register
from garden.sources import builders
from garden.sources.base import Example, Source, missing
from garden.sources.records import Shard, cache_folder
from garden.sources.tfrecord import RecordSource, open_records


@register('sources', 'tfds')
class TFDS(RecordSource):
    """A split of a TFDS data set. Pictures are left encoded.

    Local data are read in any order, remote ones (gs://...) from front to back (see `stream`). A
    data set whose making needs no network is prepared at first use.

    Args:
      name: the data set as TFDS writes it: 'imagenet2012', 'cifar10', 'name/config:1.0.0'.
      split: the split or a slice of it: 'train', 'train[:90%]', 'train[:1297]'.
      data_dir: the folder it is prepared in; None for $TFDS_DATA_DIR or ~/tensorflow_datasets.
      rename: features to go by another name, new name first: {'label': 'fine_label'}.
      offline_sibling: the experiment to name to a user who does not have the data.
      random_access: False to stream local files too (spinning disks); None decides by the path.
      window: records that a lane of a stream permutes.
      lanes: lanes of a stream, over all hosts.
    """

    def __init__(
        self,
        name: str,
        split: str,
        data_dir: str | None = None,
        rename: Mapping[str, str] | None = None,
        offline_sibling: str | None = None,
        random_access: bool | None = None,
        window: int = 1024,
        lanes: int = 16,
    ):
        self._name = name
        self._split = split
        self._data_dir = os.path.expanduser(
            data_dir or os.environ.get('TFDS_DATA_DIR') or '~/tensorflow_datasets'
        )
        self._rename = rename or {}
        self._offline_sibling = offline_sibling
        self._access = (random_access, window, lanes)

    @property
    def features(self) -> Mapping[str, tf.TensorSpec]:
        """See the base class; of nested features the names are joined by '/'."""
        return self._renamed(_flat(self._stored.get_tensor_spec() | _encoded_specs(self._stored)))

    @property
    def class_names(self) -> Sequence[str] | None:
        """See the base class."""
        label = dict(self._stored.items()).get(self._rename.get('label', 'label'))
        return getattr(label, 'names', None)

    @functools.cached_property
    def records(self) -> Source:
        """See the base class."""
        info = self._builder.info
        if info.file_format.value != 'tfrecord':
            raise UserError(
                f'{self} is prepared as {info.file_format.value}; prepare it as tfrecord.'
            )
        try:
            instructions = info.splits[self._split].file_instructions
        except (AssertionError, KeyError, ValueError) as error:
            name = self._split.split('[')[0]
            raise UserError(
                f'TFDS {self._name} has no split {self._split!r}; it has '
                f'{", ".join(info.splits)}.{did_you_mean(name, set(info.splits) - {name})}'
            ) from error
        shards = [Shard(os.fspath(i.filename), i.skip, i.take) for i in instructions]
        return open_records(shards, *self._access)

    def parse(self, record: tf.Tensor) -> Example:
        """See the base class."""
        import tensorflow_datasets as tfds

        as_stored = {name: tfds.decode.SkipDecoding() for name in _encoded_specs(self._stored)}
        return self._renamed(_flat(self._stored.deserialize_example(record, decoders=as_stored)))

    def __str__(self) -> str:
        return f'The TFDS data set {self._name} (split {self._split})'

    @property
    def _stored(self) -> Any:
        """The features as TFDS knows them."""
        return self._builder.info.features

    def _renamed(self, tree: Mapping[str, Any]) -> Mapping[str, Any]:
        unknown = set(self._rename.values()) - set(tree)
        if unknown:
            raise UserError(
                f'sources.tfds.rename: {self} has no feature {", ".join(sorted(unknown))}; it has '
                f'{", ".join(sorted(tree))}.'
            )
        kept = {name: value for name, value in tree.items() if name not in self._rename.values()}
        return kept | {new: tree[old] for new, old in self._rename.items()}

    @functools.cached_property
    def _builder(self) -> Any:
        """The prepared data set, which is made first if that needs no network."""
        name = re.split('[/:]', self._name)[0]
        if name in _own_builders():
            importlib.import_module(f'{builders.__name__}.{name}')
        known = _builder_class(name)
        folders = [self._data_dir]
        embedded = known is not None and not getattr(known, 'needs_network', True)
        if embedded:
            folders.append(os.fspath(cache_folder() / 'tfds'))
        for found in (_opened(self._name, folder) for folder in folders):
            # An earlier version of Garden may have left an earlier one there.
            if found is not None and (not embedded or found.version == known.VERSION):
                return found
        if len(folders) == 1:
            raise self._missing(known)
        for folder in folders:
            if '://' not in folder and _prepared(self._name, folder):
                return _opened(self._name, folder)
        raise UserError(f'{self} cannot be written to {" or ".join(folders)}: set data_dir.')

    def _missing(self, known: Any) -> UserError:
        import tensorflow_datasets as tfds

        if known is None:
            names = {*tfds.list_builders(with_community_datasets=False), *_own_builders()}
            return UserError(
                f'There is no TFDS data set {self._name!r}, in {self._data_dir} or known to TFDS.'
                f'{did_you_mean(self._name, names)}'
            )
        manual = known.MANUAL_DOWNLOAD_INSTRUCTIONS
        config = 'download_config=tfds.download.DownloadConfig(manual_dir="DIR")' if manual else ''
        remedy = (
            f"Prepare it with: python -c 'import tensorflow_datasets as tfds; "
            f'tfds.builder("{self._name}", data_dir="{self._data_dir}")'
            f".download_and_prepare({config})'"
        )
        remedy += f', where DIR is the manual_dir: {" ".join(manual.split())}' if manual else '.'
        if self._name in registry.names('preparers'):
            remedy = (
                f'Prepare it with: python launch.py prepare {self._name} '
                f'--source=FOLDER --output={self._data_dir}; --help says what FOLDER holds.'
            )
        return missing(self, self._data_dir, remedy, self._offline_sibling)


def _own_builders() -> Sequence[str]:
    return [module.name for module in pkgutil.iter_modules(builders.__path__)]


def _builder_class(name: str) -> Any:
    """Returns the class that prepares a data set, or None if TFDS knows none."""
    import tensorflow_datasets as tfds
    from tensorflow_datasets.core import registered

    try:
        return tfds.builder_cls(name)
    except registered.DatasetNotFoundError:
        return None


def _opened(name: str, folder: str) -> Any | None:
    """Returns the builder of a data set that is prepared in a folder, or None if it is not."""
    from tensorflow_datasets.core import read_only_builder, registered

    try:
        return read_only_builder.builder_from_files(name, data_dir=folder)
    except registered.DatasetNotFoundError:
        return None
    except (OSError, tf.errors.OpError) as error:
        raise UserError(f'The data folder {folder} cannot be read: {error}') from error


def _prepared(name: str, folder: str) -> bool:
    """Prepares a data set; False if the folder cannot be written.

    It is made in a folder of its own and moved in one go, so that of two processes that start at
    the same time the second finds the first one's.
    """
    import tensorflow_datasets as tfds

    try:
        os.makedirs(folder, exist_ok=True)
        workshop = tempfile.TemporaryDirectory(dir=folder, prefix='.preparing-')
    except OSError:
        return False
    said = io.StringIO()  # Progress bars and greetings.
    with workshop as made, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        builder = tfds.builder(name, data_dir=made)
        builder.download_and_prepare()
        place = os.path.join(folder, os.path.relpath(builder.data_dir, made))
        os.makedirs(os.path.dirname(place), exist_ok=True)
        try:
            os.rename(builder.data_dir, place)
        except OSError:
            if not os.path.isdir(place):
                raise
    return True


def _encoded_specs(features: Any) -> Mapping[str, tf.TensorSpec]:
    """Returns the specifications of the pictures as they are stored."""
    import tensorflow_datasets as tfds

    return {
        name: tf.TensorSpec([], tf.string)
        for name, feature in features.items()
        if isinstance(feature, tfds.features.Image)
    }


def _flat(tree: Mapping[str, Any], prefix: str = '') -> Mapping[str, Any]:
    """Joins the names of nested features by '/'."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f'{prefix}{name}/')
        else:
            flat[prefix + name] = value
    return flat
