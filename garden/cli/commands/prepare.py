"""`garden prepare KIND`: sharded TFRecords from files as downloaded, and their checker."""

import argparse
import inspect
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from garden.cli.arguments import of_command
from garden.core import registry
from garden.core.errors import UserError, did_you_mean
from garden.prepare.base import Preparer
from garden.prepare.output import Manifest, Output, Shard, manifests
from garden.prepare.plan import Plan, plan

STATUS_DONE = 0
STATUS_FAULTY = 1
STATUS_INTERRUPTED = 42

_REMARKS = 30  # As many are shown.

_EPILOG = """\
exit status: 0 done, or nothing wrong; 1 --check has found something wrong; 2 a mistake, told in one
line; 42 interrupted, run the same command again to go on; 74 something could not be written.
"""


def main(argv: Sequence[str]) -> int:
    """Prepares a data set, or checks one."""
    kinds = registry.names('preparers')
    kind = argv[0] if argv and not argv[0].startswith('-') else None
    if kind is not None and kind not in kinds:
        raise UserError(
            f'There is no preparer {kind}.{did_you_mean(kind, kinds)} Preparers: '
            f'{", ".join(kinds)}.'
        )
    chosen = registry.get('preparers', kind) if kind else None
    args = _parser(kind, chosen, kinds).parse_args(argv[1:] if kind else argv)
    console = Console(highlight=False, soft_wrap=True)
    if args.output is None or '://' in args.output:
        raise UserError(
            'Where? Give --output=DIR, a local folder; it can be copied to gs:// when it is done.'
        )
    if args.check:
        return _check(console, Path(args.output).expanduser(), kind, args)
    if kind is None:
        raise UserError(f'What is to be prepared? Name one of {", ".join(kinds)}.')
    settings = {name: getattr(args, name) for name in _flags(chosen)}
    missing = [name for name, value in settings.items() if value is inspect.Parameter.empty]
    if missing:
        raise UserError(f'--{missing[0]} is missing. --help lists the flags.')
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _prepare(console, registry.get('preparers', kind)(**settings), kind, args)
    except KeyboardInterrupt:
        console.print('Interrupted. Run the same command to go on.')
        return STATUS_INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    return STATUS_DONE


def _parser(kind: str | None, chosen: Any, kinds: Sequence[str]) -> argparse.ArgumentParser:
    parser = of_command(
        f'prepare {kind or "KIND"}',
        inspect.getdoc(chosen) if chosen else f'Prepares data: {", ".join(kinds)}.',
        _EPILOG,
    )
    for flag, default in (_flags(chosen) if chosen else {}).items():
        parser.add_argument(f'--{flag}', default=default, metavar='...', help='see above')
    parser.add_argument('--output', metavar='DIR', help='the data_dir that the experiments read')
    parser.add_argument('--split', help='only this one; without it all that the source holds')
    parser.add_argument('--shards', type=_positive, help='files of the split (default: of 150 MB)')
    parser.add_argument('--seed', type=int, default=0, help='of the order (default: 0)')
    parser.add_argument('--skip_bad', action='store_true', help='leave unusable files out')
    parser.add_argument(
        '--workers',
        type=_positive,
        default=min(8, os.cpu_count() or 1),
        help='files that are written or read at a time (default: a core each, at most 8)',
    )
    parser.add_argument('--check', action='store_true', help='check what was prepared; no --source')
    parser.add_argument('--decode', action='store_true', help='with --check: decode each example')
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f'{text!r} is no positive number')
    return int(text)


def _flags(chosen: Any) -> Mapping[str, Any]:
    """Returns the arguments of a preparer and their defaults."""
    return {name: p.default for name, p in inspect.signature(chosen).parameters.items()}


def _prepare(console: Console, preparer: Preparer, kind: str, args: argparse.Namespace) -> None:
    splits = [args.split] if args.split else preparer.splits()
    if not splits:
        raise UserError(
            f'{preparer.source} does not tell which split it is: give --split='
            f'{"|".join(preparer.places)}.'
        )
    if args.shards and len(splits) > 1:
        raise UserError(f'--shards goes with one split: --split={"|".join(splits)}.')
    folder = Path(args.output).expanduser().joinpath(*preparer.dataset)
    for split in splits:
        output = Output(folder, split)
        done = output.manifest()
        if done is not None:
            _refuse_change(done, output, args)
            console.print(f'{split} is finished: {done.examples:,} examples in {folder}')
            continue
        console.print(f'{split}: looking through {preparer.place(split)}')
        survey = preparer.survey(split)
        for warning in survey.warnings:
            console.print(f'[yellow]warning:[/] {warning}')
        planned = plan(preparer, kind, split, survey, args.seed, args.shards)
        _write(console, preparer, planned, output, args)


def _refuse_change(done: Manifest, output: Output, args: argparse.Namespace) -> None:
    for name, value, asked in (
        ('seed', done.seed, args.seed),
        ('shards', len(done.shards), args.shards or len(done.shards)),
    ):
        if value != asked:
            raise UserError(
                f'{output.folder}: {done.split} is finished, with --{name}={value}: give another '
                f'--output for --{name}={asked}.'
            )


def _write(
    console: Console, preparer: Preparer, planned: Plan, output: Output, args: argparse.Namespace
) -> None:
    from garden.prepare.writing import write  # Imports TensorFlow.

    with _Line(console, planned) as line:
        made = write(preparer, planned, output, args.skip_bad, args.workers, line)
    remarks = [remark for shard in made.shards for remark in shard.remarks]
    for name, what in remarks[:_REMARKS]:
        console.print(f'{planned.split}: {name} is {what}, and kept as it is', markup=False)
    if len(remarks) > _REMARKS:
        console.print(f'{planned.split}: ... {len(remarks) - _REMARKS:,} more are in the manifest')
    left_out = sum(len(shard.left_out) for shard in made.shards)
    if left_out:
        console.print(f'{planned.split}: {left_out:,} files were left out')
    size = sum(shard.size for shard in made.shards)
    console.print(
        f'{planned.split}: {made.examples:,} examples, {size / 1e9:,.3f} GB, '
        f'{len(made.shards):,} files in {output.folder}'
    )


class _Line:
    """The progress: live on a terminal, a line for each tenth where the output is piped."""

    def __init__(self, console: Console, planned: Plan):
        self._console = console
        self._split = planned.split
        self._total = planned.examples
        self._done = 0
        self._progress = Progress(
            TextColumn('[bold]{task.description}'),
            BarColumn(bar_width=16),
            TextColumn('{task.completed:,.0f}/{task.total:,.0f}'),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._bar = self._progress.add_task(planned.split, total=planned.examples)

    def __enter__(self) -> '_Line':
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(self, *unused: object) -> None:
        if self._console.is_terminal:
            self._progress.stop()

    def written(self, shard: Shard, before: bool) -> None:
        """See writing.Watcher."""
        tenth = 10 * self._done // self._total
        self._done += shard.examples + len(shard.left_out)
        self._progress.update(self._bar, completed=self._done)
        if not self._console.is_terminal and 10 * self._done // self._total > tenth:
            self._console.print(f'{self._split} {self._done:,}/{self._total:,}')

    def refused(self, name: str, why: str) -> None:
        """See writing.Watcher."""
        self._console.print(f'{self._split}: {name} {why}', markup=False)


def _check(console: Console, root: Path, kind: str | None, args: argparse.Namespace) -> int:
    from garden.prepare.check import problems  # Imports TensorFlow.

    found = [
        (folder, manifest)
        for folder in sorted({root, *root.glob('*/'), *root.glob('*/*/')})
        for manifest in manifests(folder)
        if kind in (None, manifest.kind) and args.split in (None, manifest.split)
    ]
    faults = 0
    for work in sorted(root.glob('*/*/.preparing-*')):
        faults += 1
        console.print(f'{work}: unfinished; run the command that prepares it again', markup=False)
    if not found and not faults:
        raise UserError(f'{root}: nothing that was prepared is here.')
    for folder, manifest in found:
        before = faults
        for problem in problems(folder, manifest, args.decode, args.workers):
            console.print(problem, markup=False)
            faults += 1
        if faults == before:
            console.print(f'{folder}: {manifest.split} is whole, {manifest.examples:,} examples')
    if faults:
        console.print(
            f'{faults:,} problems. To make a damaged file anew, remove it and prepare again.'
        )
    return STATUS_FAULTY if faults else STATUS_DONE
