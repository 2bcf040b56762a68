"""`launch`: what the command line does, called from Python."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from garden.cli import launch as command
from garden.core.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from etils import epath

    from garden.engine.phase import Result

MODES = ('train_and_eval', 'train', 'eval')


@dataclasses.dataclass(frozen=True)
class Launched:
    """What a launch came to.

    Attributes:
      path: the run folder.
      phases: what each phase came to, in order.
    """

    path: 'epath.Path'
    phases: Sequence['Result']

    @property
    def metrics(self) -> Mapping[str, float]:
        """The last evaluation of the last phase, as in summary.json."""
        return self.phases[-1].metrics


def launch(
    experiment: str,
    overrides: Sequence[str] = (),
    model_dir: 'epath.PathLike | None' = None,
    mode: str = 'train_and_eval',
    strategy: str = 'auto',
    devices: int | None = None,
    allow_config_change: bool = False,
) -> Launched:
    """Runs an experiment in this process, as `python launch.py --experiment=...` does.

    Args:
      experiment: its name, or the path of a gin file.
      overrides: settings as of `--gin`, e.g. ['train_steps = 50'].
      model_dir: the run folder; None for 'runs/NAME'. A run that is there is continued.
      mode: 'train_and_eval', 'train' or 'eval'.
      strategy: as of `--strategy`; in one process, take one strategy for all launches.
      devices: as of `--devices`; of a CPU they are made only before TensorFlow runs its first op.
      allow_config_change: whether a run is continued with another configuration.

    Raises:
      UserError: for any mistake, in one line.
      KeyboardInterrupt: if it was asked to stop; all is saved, and the same call goes on.
    """
    if mode not in MODES:
        raise UserError(
            f'launch: there is no mode {mode!r}.{did_you_mean(mode, MODES)} Modes: '
            f'{", ".join(MODES)}.'
        )
    flags = [f'--experiment={experiment}', f'--mode={mode}', f'--strategy={strategy}']
    flags += [f'--gin={text}' for text in overrides]
    flags += [] if model_dir is None else [f'--model_dir={model_dir}']
    flags += [] if devices is None else [f'--devices={devices}']
    flags += ['--allow_config_change'] if allow_config_change else []
    args = command.make_parser().parse_args(flags)
    command.set_environment()
    from garden.cli import run
    from garden.engine import config as config_lib
    from garden.engine.phase import Result
    from garden.engine.run_folder import RunFolder

    with config_lib.set_aside():
        config = command.configuration(args)
        if run.run(args, config) != command.STATUS_DONE:
            raise KeyboardInterrupt('The run was interrupted; everything is saved.')
    folder = RunFolder(run.path(args, config), write=False, trains=mode != 'eval')
    return Launched(folder.path, [Result(**phase) for phase in folder.read_summary()])
