"""`garden sweep SWEEP.gin`: many runs of an experiment, in search of its best settings."""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from garden.cli.arguments import Parser, of_command
from garden.core.errors import StorageError, UserError
from garden.engine.interruption import EXIT_STATUS, Interruption
from garden.sweep import check, plan
from garden.sweep.engine import Study
from garden.sweep.folder import SweepFolder, Trial, best
from garden.sweep.plan import Plan
from garden.sweep.space import Point

_EPILOG = """\
what follows -- goes to each trial, e.g.: garden sweep SWEEP.gin -- --data_dir=DIR

exit status: 0 done; 2 a mistake, told in one line; 42 interrupted, run the same command again to go
on; 74 something could not be written.
"""
# What a sweep gives to its trials by itself.
_OWN_FLAGS = ('--experiment', '--model_dir', '--gin', '--mode')


def main(argv: Sequence[str]) -> int:
    """Searches, or goes on with a search."""
    split = list(argv).index('--') if '--' in argv else len(argv)
    args = _parser().parse_args(argv[:split])
    flags = argv[split + 1 :]
    for flag in flags:
        if flag.split('=')[0] in _OWN_FLAGS:
            raise UserError(f'{flag}: a sweep sets this itself; state it in {args.sweep}.')
    planned = plan.read(args.sweep, args.gin)
    slots = _slots(args.jobs, args.gpus.split(',') if args.gpus else [])
    folder = SweepFolder(Path(args.sweep_dir or Path('runs') / planned.name).expanduser())
    if '://' in (args.sweep_dir or ''):
        raise UserError(
            f'--sweep_dir={args.sweep_dir}: a sweep needs a folder that can be locked: a local '
            'one, or one of a file system that all machines share.'
        )
    try:
        _open_folder(folder, planned)
        limit = _open_engine(folder, planned, args.storage)
        return _search(folder, planned, limit, slots, flags)
    except OSError as error:
        raise StorageError(
            f'{error.filename or folder.path}: {error.strerror}. Mend that, then run the same '
            'command again.'
        ) from error


def _parser() -> Parser:
    parser = of_command(
        'sweep',
        'Runs an experiment many times with other settings, in search of the best: each trial is a '
        'run of its own. Any number of these processes, on any number of machines, may work on one '
        'folder at a time.',
        _EPILOG,
    )
    parser.add_argument('sweep', metavar='SWEEP.gin', help='says what is varied, and how')
    parser.add_argument(
        '--sweep_dir', metavar='DIR', help="the sweep's folder (default 'runs/NAME')"
    )
    parser.add_argument(
        '--gin',
        action='append',
        default=[],
        metavar='BINDING',
        help="change a setting of the sweep, e.g. --gin='sweep.trials=50'; repeatable",
    )
    parser.add_argument(
        '--jobs', type=int, metavar='N', help='trials that this process runs at a time (default: 1)'
    )
    parser.add_argument(
        '--gpus', metavar='LIST', help="as many jobs as these GPUs, one on each: '0,1,2,3'"
    )
    parser.add_argument(
        '--storage', metavar='URL', help='the data base of the study, instead of a file in DIR'
    )
    return parser


def _slots(jobs: int | None, gpus: Sequence[str]) -> list[Mapping[str, str]]:
    """Returns the environment of each of the trials that run at a time."""
    if gpus and jobs not in (None, len(gpus)):
        raise UserError(f'--jobs={jobs} and --gpus={",".join(gpus)}: there is one job on each GPU.')
    count = len(gpus) or (1 if jobs is None else jobs)
    if count < 1:
        raise UserError(f'--jobs is at least 1; {count} is not.')
    shared = {}
    if count > 1:  # TensorFlow takes all cores for itself.
        threads = str(max(len(os.sched_getaffinity(0)) // count, 1))
        names = ('TF_NUM_INTRAOP_THREADS', 'OMP_NUM_THREADS')
        shared = {name: threads for name in names if name not in os.environ}
    if not gpus:
        return [shared] * count
    return [{**shared, 'CUDA_VISIBLE_DEVICES': gpu} for gpu in gpus]


def _open_folder(folder: SweepFolder, planned: Plan) -> None:
    if folder.config.exists():
        changes = plan.changes(folder.config, planned)
        if changes:
            more = f' and {len(changes) - 1} more' if len(changes) > 1 else ''
            raise UserError(
                f'{folder.path} holds another sweep: {changes[0]}{more}. Give another --sweep_dir.'
            )
    else:
        check.check(planned)
        folder.create()
    folder.write_text(folder.config.name, planned.text)


def _open_engine(folder: SweepFolder, planned: Plan, storage: str | None) -> int:
    sweep = planned.sweep
    with folder.locked():
        study = Study(
            folder.study(),
            folder.path,
            planned.space,
            sweep.metric,
            sweep.goal,
            sweep.seed,
            storage,
        )
        size = sweep.engine.open(study, {trial.key for trial in folder.trials()})
    limits = [count for count in (size, sweep.trials) if count is not None]
    if not limits:
        raise UserError(f'{planned.where}: sweep.trials is to say how many trials there are.')
    return min(limits)


def _search(
    folder: SweepFolder,
    planned: Plan,
    limit: int,
    slots: Sequence[Mapping[str, str]],
    flags: Sequence[str],
) -> int:
    from garden.cli.sweep_terminal import SweepTerminal
    from garden.sweep.sweeper import Sweeper

    # The same program that runs here: a checkout's launch.py, or the installed garden.
    entry = [sys.executable, str(Path(sys.argv[0]).resolve())]

    def command(number: int, point: Point) -> list[str]:
        settings = [f'--gin={line}' for line in check.bindings(planned, point, number)]
        run = f'--model_dir={folder.run_folder(number)}'
        return [*entry, f'--experiment={planned.experiment}', run, *settings, *flags]

    def improved(leader: Trial) -> None:
        comments = {
            'Command': f'{shlex.join(entry)} --experiment={folder.best}',
            'Expected': f'{planned.sweep.metric} {leader.value:.6g}, of trial {leader.number}',
        }
        text = check.best_experiment(planned, leader.point, leader.number, comments)
        folder.write_text(folder.best.name, text)

    terminal = SweepTerminal(planned, folder, limit, improved)
    terminal.begin(folder.trials())
    with Interruption() as interruption:
        sweeper = Sweeper(
            planned.sweep, folder, planned.sweep.engine, limit, command, slots, terminal
        )
        done = sweeper.run(interruption)
    terminal.end(best(folder.trials(), planned.sweep.goal), done)
    return 0 if done else EXIT_STATUS
