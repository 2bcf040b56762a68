"""The card beside an exported model: what it is, where it comes from, how it is called."""

import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from typing import Any

import garden

_PACKAGES = ('tensorflow', 'tf_keras', 'numpy')
_LOADING = """\
    import tensorflow as tf

    model = tf.saved_model.load('saved_model')
    outputs = model.signatures['{name}']({arguments})
"""


@dataclasses.dataclass(frozen=True)
class Card:
    """What there is to say of an exported model.

    Attributes:
      experiment: its name.
      summary: one sentence on it, '' if its file says none.
      source: the paper, '' if the file names none.
      licence: under what terms the model may be used, '' if the file does not say.
      phase: the phase of the run.
      step: the training steps that were taken.
      checkpoint: 'best', 'last' or 'init_checkpoint'.
      metrics: the evaluation of that step in the run folder, nothing where there was none.
      data: what the task says of its data.
      signatures: inputs and outputs by name, each with dtype and shape; null is any size.
      formats: what else there is beside the SavedModel, see `formats.Converted`.
    """

    experiment: str
    summary: str
    source: str
    licence: str
    phase: str
    step: int
    checkpoint: str
    metrics: Mapping[str, float]
    data: Mapping[str, str]
    signatures: Mapping[str, Any]
    formats: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """Returns the card for programs."""
        fields = dataclasses.asdict(self) | {'versions': _versions(), 'configuration': 'config.gin'}
        return json.dumps(fields, indent=2) + '\n'

    def to_markdown(self) -> str:
        """Returns the card for people."""
        metrics = ', '.join(f'{name} {value:.4g}' for name, value in self.metrics.items())
        rows = {
            'experiment': f'`{self.experiment}`, phase `{self.phase}`',
            'weights': f'{self.checkpoint} checkpoint, step {self.step:,}',
            'metrics': metrics or 'none of this step in the run folder',
            **self.data,
            'source': self.source or 'not stated',
            'licence': self.licence or 'not stated',
            'versions': ', '.join(f'{name} {version}' for name, version in _versions().items()),
            'configuration': '[config.gin](config.gin)',
        }
        return '\n'.join(
            [
                f'# {self.experiment}',
                '',
                *([self.summary, ''] if self.summary else []),
                *_table(('', ''), rows.items()),
                '',
                '## Signatures',
                '',
                *_table(('signature', 'inputs', 'outputs'), map(self._row, self.signatures)),
                '',
                *self._other_formats(),
                '## How to load it',
                '',
                self._example(),
            ]
        )

    def _row(self, name: str) -> tuple[str, str, str]:
        signature = self.signatures[name]
        return f'`{name}`', _shown(signature['inputs']), _shown(signature['outputs'])

    def _other_formats(self) -> list[str]:
        if not self.formats:
            return []
        rows = [
            (
                f'[{file["file"]}]({file["file"]})',
                f'{file["bytes"]:,}',
                f'{file["examples"]}',
                '<br>'.join(_measures(output, of) for output, of in file['outputs'].items()),
            )
            for made in self.formats.values()
            for file in made['files'].values()
        ]
        return [
            '## Other formats',
            '',
            'Each file was compared with the SavedModel on examples of the data.',
            '',
            *_table(('file', 'bytes', 'examples', 'how close it is'), rows),
            '',
            *(
                ['Not made:', '', *map('- {}'.format, self.not_made()), '']
                if self.not_made()
                else []
            ),
        ]

    def not_made(self) -> list[str]:
        """Returns one line for each signature and reason why some formats do not have it."""
        lacking: dict[tuple[str, str], list[str]] = {}
        for kind, made in self.formats.items():
            for name, why in made['left_out'].items():
                lacking.setdefault((name, why), []).append(kind)
        return [f'{name} as {", ".join(kinds)}: {why}' for (name, why), kinds in lacking.items()]

    def _example(self) -> str:
        name = min(self.signatures, key=lambda name: name != 'serving_default')
        inputs = self.signatures[name]['inputs']
        return _LOADING.format(
            name=name, arguments=', '.join(f'{argument}={argument}' for argument in inputs)
        )


def _versions() -> dict[str, str]:
    found = {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {'garden': garden.__version__, 'python': platform.python_version(), **found}


def _shown(tensors: Mapping[str, Mapping[str, Any]]) -> str:
    return '<br>'.join(
        f'`{name}` {tensor["dtype"]} '
        f'[{", ".join("any" if n is None else str(n) for n in tensor["shape"] or ())}]'
        for name, tensor in tensors.items()
    )


def _measures(output: str, of: Mapping[str, float]) -> str:
    same = f', same class {of["same_class"]:.1%}' if 'same_class' in of else ''
    return (
        f'`{output}` relative error {of["relative_error"]:.2g}, largest {of["largest_error"]:.2g}'
        f'{same}'
    )


def _table(head: tuple[str, ...], rows: Any) -> list[str]:
    lines = [head, ('---',) * len(head), *rows]
    return [f'| {" | ".join(line)} |' for line in lines]
