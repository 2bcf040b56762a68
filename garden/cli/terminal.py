"""What a run shows at the terminal: a table, a progress line, a table."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column, Table

from garden.core.bad_examples import BadExample, different
from garden.engine.config import Config
from garden.engine.experiment import Phase, Result
from garden.engine.run_folder import RunFolder
from garden.engine.trainer import Trainer
from garden.report.text import duration, number

_RATES = ('steps_per_second', 'examples_per_second')
_PIPED_WIDTH = 200


class Terminal:
    """Shows a run: live on a terminal, line by line where the output is piped.

    Args:
      config: the configuration.
      folder: the run folder.
      strategy: the strategy.
      mode: what the run does.
    """

    def __init__(
        self, config: Config, folder: RunFolder, strategy: tf.distribute.Strategy, mode: str
    ):
        self._console = Console(highlight=False, soft_wrap=True)
        self._live = self._console.is_terminal
        if not self._live:  # Nothing is gained by folding lines that go into a file.
            self._console.width = _PIPED_WIDTH
        self._config = config
        self._folder = folder
        self._strategy = strategy
        self._mode = mode
        self._progress = Progress(
            TextColumn('[bold]{task.description}'),
            BarColumn(bar_width=16),
            TextColumn('{task.completed:.0f}/{task.total:.0f}'),
            # Where the line is too narrow, it is the numbers at its end that are cut.
            TextColumn(
                '{task.fields[shown]}',
                table_column=Column(ratio=1, no_wrap=True, overflow='ellipsis'),
            ),
            console=self._console,
            transient=True,
            expand=True,
        )

    def __enter__(self) -> 'Terminal':
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *unused: object) -> None:
        if self._live:
            self._progress.stop()

    def built(self, phase: Phase, trainer: Trainer) -> None:
        """Shows what is about to be trained."""
        task = trainer.task
        table = _plain_table(self._config.name)
        table.add_row('phase', phase.name)
        table.add_row('task', type(task).__name__)
        for name, (model, *_) in task.models().items():
            trained = _count(model.trainable_variables)
            fixed = _count(model.variables) - trained
            table.add_row(name, f'{trained:,} parameters trained, {fixed:,} kept beside them')
        for name, fact in task.facts().items():
            table.add_row(name, escape(fact))
        replicas = self._strategy.num_replicas_in_sync
        table.add_row('devices', f'{replicas} x {_device(self._strategy)}')
        table.add_row('steps', f'{phase.train_steps:,}, evaluated every {phase.eval_interval:,}')
        if phase.targets:
            table.add_row('target', ', '.join(phase.targets))
        table.add_row('run folder', escape(str(self._folder.path)))
        self._console.print(table)

    def observer(self, phase: Phase, trainer: Trainer) -> 'PhaseLine':
        """Returns the observer that keeps the progress line of a phase."""
        return PhaseLine(
            self._console, self._progress if self._live else None, phase, _current_step(trainer)
        )

    def waiting(self, phase: Phase, step: int | None) -> None:
        """Says which checkpoint is waited for."""
        after = '' if step is None else f' after step {step:,}'
        folder = escape(str(self._folder.checkpoints(phase.name)))
        self._console.print(
            f'[bold]{phase.name}[/] waiting for a checkpoint{after} in {folder}; Ctrl-C ends this'
        )

    def interrupted(self) -> None:
        """Says that the run can be continued."""
        self._console.print('Interrupted; everything is saved. Run the same command to go on.')

    def unused(self, settings: Sequence[str]) -> None:
        """Warns of settings that nothing reads."""
        for setting in settings:
            self._console.print(f'[yellow]unused:[/] {escape(setting)}')

    def finished(self, results: Sequence[Result]) -> None:
        """Shows what the run came to and where everything lies."""
        for result in results:
            title = f'{self._config.name}, step {result.step:,}, {duration(result.seconds)}'
            table = _plain_table(title if len(results) == 1 else f'{result.phase}: {title}')
            for name, value in result.metrics.items():
                table.add_row(name, number(value))
            if result.stopped_early:
                table.add_row(
                    'stopped', 'early: no better evaluation for as long as phase.patience'
                )
            if result.best:
                best = ', '.join(f'{k} {number(v)}' for k, v in result.best.items())
                table.add_row('best', best)
            for target, met in result.targets.items():
                table.add_row('target', f'{target}  {"[green]met" if met else "[red]missed"}')
            bad = len(different(self._folder.bad_examples(result.phase)))
            if bad:
                table.add_row('skipped', f'{bad} bad example{"s" if bad > 1 else ""}')
            self._console.print(table)
        self._console.print(f'Everything lies in {self._folder.path}', markup=False)


class PhaseLine:
    """The progress line of one phase."""

    def __init__(self, console: Console, progress: Progress | None, phase: Phase, step: int):
        self._console = console
        self._progress = progress
        self._phase = phase
        self._start_step = step
        self._start: float | None = None
        if progress is not None:
            self._bar = progress.add_task(
                phase.name, total=phase.train_steps, completed=step, shown='starting'
            )

    def trained(self, step: int, metrics: Mapping[str, float]) -> None:
        """Moves the line."""
        rate = metrics['examples_per_second'] or metrics['steps_per_second']
        unit = 'examples/s' if metrics['examples_per_second'] else 'steps/s'
        numbers = '  '.join(f'{k} {number(v)}' for k, v in metrics.items() if k not in _RATES)
        shown = f'{rate:,.0f} {unit}  {self._time_left(step)} left  {numbers}'
        if self._progress is not None:
            self._progress.update(self._bar, completed=step, shown=shown)
        else:
            self._console.print(f'{self._phase.name} {step}/{self._phase.train_steps}  {shown}')

    def evaluated(
        self, step: int, metrics: Mapping[str, float], pictures: Mapping[str, np.ndarray]
    ) -> None:
        """Prints the evaluation above the line."""
        numbers = '  '.join(f'{name} {number(value)}' for name, value in metrics.items())
        self._console.print(f'[bold]{self._phase.name}[/] step {step}: evaluation  {numbers}')

    def recovered(self, step: int, restored: int, what: Sequence[str]) -> None:
        """Prints that the phase went back."""
        self._console.print(
            f'[bold]{self._phase.name}[/] step {step}: {", ".join(what)} is not finite; back to '
            f'step {restored}, on with other batches'
        )

    def skipped(self, bad: Sequence[BadExample]) -> None:
        """Prints which examples are left out."""
        for one in bad:
            self._console.print(
                f'[bold]{self._phase.name}[/] step {one.step}: [yellow]bad example skipped:[/] '
                f'{escape(str(one))}'
            )

    def _time_left(self, step: int) -> str:
        now = time.perf_counter()
        if self._start is None:  # The first loop was traced, which the others need not be.
            self._start, self._start_step = now, step
            return '?'
        seconds = (now - self._start) / max(step - self._start_step, 1)
        return duration(seconds * (self._phase.train_steps - step))


def _plain_table(title: str) -> Table:
    table = Table(
        title=title, title_justify='left', title_style='bold', show_header=False, box=None
    )
    table.add_column(style='dim', no_wrap=True)
    table.add_column(overflow='fold')
    return table


def _count(variables: Sequence[tf.Variable]) -> int:
    return sum(int(np.prod(v.shape)) for v in variables)


def _device(strategy: tf.distribute.Strategy) -> str:
    return tf.DeviceSpec.from_string(strategy.extended.worker_devices[0]).device_type


def _current_step(trainer: Trainer) -> int:
    return int(trainer.global_step.numpy())
