"""`--describe`: what an experiment would train, on what and how, without training it."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from garden.core import optim
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.task import Task
from garden.engine import tpu_safety
from garden.engine.complexity import complexity
from garden.engine.config import Config
from garden.engine.experiment import Phase, Runtime, experiment
from garden.engine.run_folder import RunFolder
from garden.engine.trainer import Trainer
from garden.figures.curves import learning_curves

_SAMPLES = 400


def describe(config: Config, strategy: tf.distribute.Strategy, folder: RunFolder) -> None:
    """Prints models and input of every phase, then the configuration; draws schedules and a batch.

    On a `Rehearsal` it also looks whether a TPU could take the steps.

    Raises:
      UserError: if a TPU could not, or nothing reads a setting, after everything was shown.
    """
    console = Console(highlight=False, soft_wrap=True)
    unsafe: list[UserError] = []

    def built(phase: Phase, trainer: Trainer) -> None:
        console.print(f'\n[bold]Phase {phase.name}[/]: {type(trainer.task).__name__}')
        _models(console, trainer.task)
        pictures = _schedules(console, phase, trainer.task)
        try:
            pictures |= _input(console, trainer.task, strategy)
        except UserError as error:  # Data that are not there need not keep the rest from view.
            console.print(f'input: {error}', markup=False)
        folder.write_pictures(phase.name, pictures)
        for name in pictures:
            console.print(f'drawn: {folder.picture(phase.name, name)}')
        if isinstance(strategy, tpu_safety.Rehearsal):
            try:
                tpu_safety.check(trainer)
                console.print('TPU: XLA can compile the steps, nothing calls back into Python')
            except UserError as error:
                unsafe.append(error)

    experiment(Runtime(strategy=strategy, folder=folder, mode='describe', built=built))
    console.print(f'\n[bold]Configuration[/]\n{escape(config.text.strip())}')
    if unsafe:
        raise unsafe[0]
    _refuse_unused(console, config)


def _refuse_unused(console: Console, config: Config) -> None:
    """Refuses settings that nothing reads; those of files are shown only, if flags bind others.

    What a flag puts in the place of a part does not read what the file says of that part.
    """
    unused = config.unused()
    flagged = [setting for setting in unused if setting.startswith('--gin')]
    if any(where.startswith('--gin') for where in config.provenance.values()):
        for setting in [one for one in unused if one not in flagged]:
            console.print(f'unused: {setting}', markup=False)
        unused = flagged
    if unused:
        more = f' (And {len(unused) - 1} more.)' if len(unused) > 1 else ''
        raise UserError(f'{unused[0]}{more}')


def _models(console: Console, task: Task) -> None:
    for name, (model, *specs) in task.models().items():
        if not specs:
            console.print(f'{name}: {type(model).__name__}, of inputs that it does not state')
            continue
        counted = complexity(model, *specs)
        shapes = ', '.join(str(list(spec.shape)) for spec in tf.nest.flatten(specs))
        table = Table(title=f'{name}, for {shapes}', title_justify='left', title_style='bold')
        for heading in ('part', 'output', 'parameters', 'multiply-adds', 'activations'):
            table.add_column(heading, justify='left' if heading in ('part', 'output') else 'right')
        for row in counted.rows:
            table.add_row(
                row.name,
                'x'.join(str(n) for n in (row.output_shape or ())[1:]),
                f'{row.parameters:,}',
                f'{row.multiply_adds:,}',
                f'{row.activations:,}',
            )
        table.add_section()
        table.add_row(
            'total',
            '',
            f'{counted.parameters:,}',
            f'{counted.multiply_adds:,}',
            f'{counted.activations:,}',
        )
        console.print(table)
        if counted.fixed_parameters:
            console.print(f'{counted.fixed_parameters:,} more values are kept but not trained.')
        for remark in counted.uncertain:
            console.print(f'not counted in full: {remark}')


def _schedules(console: Console, phase: Phase, task: Task) -> dict[str, np.ndarray]:
    """Prints each optimizer's settings; draws its learning rate over the phase."""
    pictures = {}
    for name, optimizer in optim.optimizers_of(task).items():
        console.print(f'{name}: {_call(type(optimizer).__name__, optimizer)}', markup=False)
        steps = np.unique(np.linspace(0, phase.train_steps - 1, _SAMPLES).astype(np.int64))
        rates = [float(optim.learning_rate(optimizer, step)) for step in steps]
        panel = {'learning rate': {'schedule': (steps.tolist(), rates)}}
        pictures[f'schedule_{name}'] = learning_curves(panel)
    return pictures


def _call(name: str, made: Any) -> str:
    """Returns an optimizer or a schedule as the call that makes it."""
    settings = made.get_config()
    schedule = getattr(made, '_learning_rate', None)
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        settings['learning_rate'] = _call(type(schedule).__name__, schedule)
    return f'{name}({", ".join(f"{key}={value}" for key, value in settings.items())})'


def _input(console: Console, task: Task, strategy: tf.distribute.Strategy) -> dict[str, np.ndarray]:
    """Prints what a training batch holds and draws the first one."""
    data = task.train_data(Feed(replicas=strategy.num_replicas_in_sync))
    for path, spec in _leaves(data.element_spec):
        console.print(
            f'input {path}: {spec.dtype.name} {list(spec.shape)} on each replica', markup=False
        )
    return dict(task.draw_batch(next(iter(data))))


def _leaves(spec: object) -> list[tuple[str, tf.TensorSpec]]:
    if isinstance(spec, dict):
        return [
            (f'{key}{path}', leaf) for key, part in spec.items() for path, leaf in _leaves(part)
        ]
    if isinstance(spec, tuple):
        return [
            (f'[{i}]{path}', leaf) for i, part in enumerate(spec) for path, leaf in _leaves(part)
        ]
    return [('', spec)]
