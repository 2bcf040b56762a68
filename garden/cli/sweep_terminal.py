"""What a sweep shows at the terminal: a line for each trial that ends, and then the best."""

import shlex
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.markup import escape

from garden.sweep.folder import COMPLETE, PRUNED, RUNNING, SweepFolder, Trial
from garden.sweep.plan import Plan
from garden.sweep.space import short

_COLOURS = {COMPLETE: 'green', PRUNED: 'dim'}


class SweepTerminal:
    """Shows a sweep, line by line.

    Args:
      plan: the sweep.
      folder: its folder.
      limit: how many trials there are to be.
      improved: called with each trial that is the best so far.
    """

    def __init__(
        self, plan: Plan, folder: SweepFolder, limit: int, improved: Callable[[Trial], None]
    ):
        self._console = Console(highlight=False, soft_wrap=True)
        self._plan = plan
        self._folder = folder
        self._limit = limit
        self._improved = improved
        self._waited_for: Sequence[int] = ()

    def begin(self, trials: Sequence[Trial]) -> None:
        """Says what is searched, and which settings of the sweep do nothing."""
        for setting in self._plan.unused:
            self._print(f'[yellow]unused:[/] {escape(setting)}')
        sweep = self._plan.sweep
        goal = 'highest' if sweep.goal == 'max' else 'lowest'
        done = sum(trial.state != RUNNING for trial in trials)
        before = f', {done} of them done' if done else ''
        self._print(
            f'[bold]{escape(self._plan.name)}[/]: the {goal} {sweep.metric} of {sweep.experiment} '
            f'over {", ".join(self._plan.space)}; {self._limit} trials{before}, in '
            f'{escape(str(self._folder.path))}'
        )

    def started(self, trial: Trial, again: bool) -> None:
        """See `sweeper.Watcher`."""
        word = 'continued' if again else 'started'
        self._print(f'[dim]{trial.number:4} {word:10}[/] {self._settings(trial)}')

    def ended(self, trial: Trial, best: Trial | None) -> None:
        """See `sweeper.Watcher`."""
        colour = _COLOURS.get(trial.state, 'red')
        value = '' if trial.value is None else f' {self._plan.sweep.metric} {trial.value:.5g}'
        step = '' if trial.step is None else f' at step {trial.step:,}'
        mark = '  [bold green]best so far[/]' if best == trial else ''
        reason = f'  {escape(trial.reason)}' if trial.reason else ''
        self._print(
            f'{trial.number:4} [{colour}]{trial.state:10}[/]{value}{step}, {trial.seconds:.0f} s'
            f'{mark}{reason}'
        )
        if best == trial:
            self._improved(trial)

    def warned(self, message: str) -> None:
        """See `sweeper.Watcher`."""
        self._print(f'[yellow]warning:[/] {escape(message)}')

    def waiting(self, numbers: Sequence[int]) -> None:
        """See `sweeper.Watcher`."""
        if list(numbers) != list(self._waited_for):
            self._waited_for = numbers
            listed = ', '.join(map(str, numbers))
            self._print(f'Waiting for what other processes run: {listed}. Ctrl-C ends this.')

    def end(self, best: Trial | None, done: bool) -> None:
        """Shows the best trial, and how to go on."""
        if not done:
            self._print('Interrupted; everything is saved. Run the same command to go on.')
        if best is None:
            self._print('No trial is complete.' if done else '')
            return
        value = f'{self._plan.sweep.metric} {best.value:.5g}'
        self._print(f'\nBest of the sweep: trial {best.number}, {value}. Its settings:\n')
        for key, setting in best.point.items():
            self._print(f'    {escape(f"{key} = {setting}")}')
        self._print(f'\nAs an experiment: {escape(str(self._folder.best))}. The trial itself:')
        self._print(escape(shlex.join(best.command)))

    def _settings(self, trial: Trial) -> str:
        shown = (f'{key.rpartition(".")[2]} {short(text)}' for key, text in trial.point.items())
        return escape('  '.join(shown))

    def _print(self, text: str) -> None:
        self._console.print(text)
