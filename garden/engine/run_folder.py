"""What a run leaves behind, so that it can be found, read, compared and continued.

config.gin              the resolved configuration; launches by itself and reproduces the run
operative_config.gin    the bindings that were used, defaults included
run.json                command, seed, versions, git state, devices, of each launch
networks.json           parts, parameters and cost of the networks of each phase
metrics.jsonl           one line per loop and per evaluation
bad_examples-*.jsonl    examples that could not be used, one file for each process that met any
summary.json            the final metrics against the targets
evaluations.jsonl       what processes that only evaluate have found, beside one that trains
evaluation.json         the last of it, against the targets
pictures/               what the task drew, and the learning curves, as PNG
<phase>/checkpoints/    the last checkpoints
<phase>/best/           the best one
<phase>/best_evaluated/ the best one that a process which only evaluates has found
<phase>/ended           the step at which its training was over
export/                 what `--mode=export` makes of it
<phase>/events/         TensorBoard's events, of training and of evaluation
"""

import contextlib
import dataclasses
import fcntl
import functools
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from etils import epath

from garden.core.errors import StorageError, UserError
from garden.figures import png

if TYPE_CHECKING:
    from garden.core.bad_examples import BadExample


class RunFolder:
    """A run's folder; the only place that knows the names of the files in it.

    Args:
      path: the folder, local or remote (gs://...).
      write: False on all workers but the first: they read only.
      trains: False for a process that only evaluates, maybe beside one that trains: it has files
        of its own for what it finds.
    """

    def __init__(self, path: epath.PathLike, write: bool = True, trains: bool = True):
        self.path = epath.Path(path)
        self.write = write
        self.trains = trains

    @property
    def config(self) -> epath.Path:
        """The resolved configuration."""
        return self.path / 'config.gin'

    @property
    def stored_config(self) -> epath.Path:
        """The resolved configuration, which is there.

        Raises:
          UserError: if it is not: the folder is none of a run.
        """
        if not self.config.exists():
            raise UserError(
                f'{self.path} is no run folder: there is no {self.config.name} in it. Name the '
                'folder of a run with --model_dir.'
            )
        return self.config

    @property
    def metrics(self) -> epath.Path:
        """The metrics, one JSON object a line."""
        return self.path / ('metrics.jsonl' if self.trains else 'evaluations.jsonl')

    @property
    def summary(self) -> epath.Path:
        """The final metrics."""
        return self.path / ('summary.json' if self.trains else 'evaluation.json')

    @property
    def networks(self) -> epath.Path:
        """What the networks cost."""
        return self.path / 'networks.json'

    @property
    def pictures(self) -> epath.Path:
        """The folder of PNG files."""
        return self.path / 'pictures'

    @property
    def export(self) -> epath.Path:
        """The folder of what is exported, unless told otherwise."""
        return self.path / 'export'

    @property
    def begun(self) -> bool:
        """Whether there is a state of any phase to continue from."""
        return any(self.path.glob('*/checkpoints/*.index'))

    def has_checkpoint(self, phase: str) -> bool:
        """Whether there is a state of a phase to continue from."""
        return any(self.checkpoints(phase).glob('*.index'))

    def checkpoints(self, phase: str) -> epath.Path:
        """The folder of a phase's last checkpoints, which the first worker in training writes."""
        return self.path / phase / 'checkpoints'

    def own_checkpoints(self, phase: str) -> epath.Path:
        """Where this process writes checkpoints: writing takes all workers, if they keep it or not.

        Some values are spread over the workers.
        """
        if self.write and self.trains:
            return self.checkpoints(phase)
        return epath.Path(self._scratch.name) / phase / 'checkpoints'

    def best(self, phase: str) -> epath.Path:
        """Where this process writes a phase's best checkpoint."""
        name = 'best' if self.trains else 'best_evaluated'
        return (self.path if self.write else epath.Path(self._scratch.name)) / phase / name

    def all_best(self, phase: str) -> list[epath.Path]:
        """Where a best checkpoint of a phase may lie, whoever has found it; the trainer's last."""
        return [self.path / phase / 'best_evaluated', self.path / phase / 'best']

    def ended(self, phase: str) -> epath.Path:
        """The file that says that the training of a phase is over, early or not."""
        return self.path / phase / 'ended'

    @functools.cached_property
    def _scratch(self) -> tempfile.TemporaryDirectory[str]:
        return tempfile.TemporaryDirectory(prefix='garden-')

    def events(self, phase: str) -> epath.Path:
        """The folder of a phase's TensorBoard events."""
        return self.path / phase / 'events'

    def create(self) -> None:
        """Makes the folder.

        Raises:
          UserError: if there is a file in its place.
          StorageError: if it cannot be made or written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            in_the_way = isinstance(error, (FileExistsError, NotADirectoryError))
            raise (UserError if in_the_way else StorageError)(
                f'The run folder {self.path} cannot be made ({error.strerror}): '
                'give another one with --model_dir.'
            ) from error
        if '://' not in str(self.path) and not os.access(self.path, os.W_OK):
            raise StorageError(
                f'The run folder {self.path} cannot be written to: '
                'give another one with --model_dir.'
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps other processes from training in this folder, for the time of the context.

        Raises:
          UserError: if another one does.
        """
        if '://' in str(self.path):  # Remote stores have no locks.
            yield
            return
        # However a process ends, the system lets go of its locks.
        with open(os.fspath(self.path / '.lock'), 'w') as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f'Another process is training in {self.path}: wait for it, stop it, or give '
                    'another --model_dir.'
                ) from error
            yield

    @property
    def busy(self) -> bool:
        """Whether a process of this machine trains in this folder."""
        try:
            with open(os.fspath(self.path / '.lock')) as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # None has ever trained in it, or it is on a store without locks.
            pass
        return False

    def write_bytes(self, name: str, data: bytes) -> None:
        """Writes a file of the folder, whole or not at all."""
        if not self.write:
            return
        path = self.path / name
        scratch = path.with_name(f'.{path.name}.{os.getpid()}')
        scratch.write_bytes(data)
        scratch.replace(path)

    def write_text(self, name: str, text: str) -> None:
        """Writes a text file of the folder, whole or not at all."""
        self.write_bytes(name, text.encode())

    def write_json(self, name: str, value: Any) -> None:
        """Writes a JSON file of the folder, whole or not at all."""
        self.write_text(name, json.dumps(value, indent=2) + '\n')

    def note_launch(self, launch: Mapping[str, Any]) -> None:
        """Adds a launch to run.json; see `provenance.launch`."""
        try:
            launches = json.loads((self.path / 'run.json').read_text())['launches']
        except (OSError, ValueError, KeyError, TypeError):  # None yet, or cut short by a kill.
            launches = []
        self.write_json('run.json', {'launches': [*launches, launch]})

    def picture(self, phase: str, name: str) -> epath.Path:
        """The PNG file of a picture."""
        return self.pictures / f'{phase}_{name}.png'

    def write_pictures(self, phase: str, pictures: Mapping[str, np.ndarray]) -> None:
        """Writes images, uint8 [h, w, 3], as PNG; each replaces the last of its name."""
        if not self.write or not pictures:
            return
        self.pictures.mkdir(parents=True, exist_ok=True)
        for name, picture in pictures.items():
            path = self.picture(phase, name).relative_to(self.path)
            self.write_bytes(os.fspath(path), png.encode(picture))

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Adds one line to metrics.jsonl."""
        if self.write:
            _append(self.metrics, json.dumps(row) + '\n')

    def add_bad_examples(self, phase: str, worker: int, bad: Sequence['BadExample']) -> None:
        """Adds the bad examples that this process met; every process has a file of its own."""
        kind = 'worker' if self.trains else 'evaluation'
        rows = [{'phase': phase, **dataclasses.asdict(one)} for one in bad]
        # Each on a new line, also after one that was cut short by a kill.
        text = ''.join(f'\n{json.dumps(row)}' for row in rows)
        _append(self.path / f'bad_examples-{kind}-{worker}.jsonl', text)

    def bad_examples(self, phase: str) -> list['BadExample']:
        """Returns the bad examples that any process met in a phase."""
        # It imports TensorFlow, which those who only read what a run has left can do without.
        from garden.core.bad_examples import BadExample

        found = []
        for path in sorted(self.path.glob('bad_examples-*.jsonl')):
            for row in _rows(path):
                if row.pop('phase', None) == phase:
                    found.append(BadExample(**row))
        return found

    def read_summary(self) -> list[dict[str, Any]]:
        """Returns what the summary says of each phase, nothing where there is none."""
        try:
            return json.loads(self.summary.read_text())['phases']
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def read_networks(self) -> dict[str, Any]:
        """Returns the networks of each phase by name, nothing where none were written down."""
        try:
            return dict(json.loads(self.networks.read_text()))
        except (OSError, ValueError, TypeError):
            return {}

    def evaluation_at(self, phase: str, step: int) -> dict[str, float]:
        """Returns the last evaluation of a step, whoever has made it; nothing without one."""
        key = {'phase': phase, 'kind': 'eval', 'step': step}
        found: dict[str, float] = {}
        for path in (self.path / 'evaluations.jsonl', self.path / 'metrics.jsonl'):
            for row in _rows(path) if path.exists() else ():
                if row.items() >= key.items():
                    found = {k: v for k, v in row.items() if k not in key and v is not None}
        return found

    def read_metrics(self) -> Iterator[dict[str, Any]]:
        """Yields the rows of metrics.jsonl; a last line cut short by a kill is left out."""
        if self.metrics.exists():
            yield from (r for r in _rows(self.metrics) if {'phase', 'kind', 'step'} <= r.keys())

    def rewind_metrics(self, phase: str, step: int, again: bool = False) -> None:
        """Drops what `phase` did after `step`: it is written anew.

        Args:
          phase: the phase.
          step: the step that it goes on from.
          again: whether the evaluation at that step is made again, too.
        """
        if not self.metrics.exists() or not self.write:
            return
        rows = [
            row
            for row in self.read_metrics()
            if row['phase'] != phase
            or row['step'] < step
            or (row['step'] == step and not (again and row['kind'] == 'eval'))
            or row['kind'] in ('recovery', 'bad_example')
        ]
        self.write_text(self.metrics.name, ''.join(json.dumps(row) + '\n' for row in rows))


def _append(path: epath.Path, text: str) -> None:
    try:
        with path.open('a') as file:
            file.write(text)
    except OSError as error:
        what = 'the checkpoints are untouched' if path.parent.exists() else 'the folder is gone'
        raise StorageError(
            f'{path} cannot be written ({error.strerror}); {what}. Mend that, then run the same '
            'command again.'
        ) from error


def _rows(path: epath.Path) -> Iterator[dict[str, Any]]:
    """Yields the objects of a file of JSON lines; a line cut short by a kill is left out."""
    for line in path.read_text().splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict):
            yield row
