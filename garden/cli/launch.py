"""The command line: `launch.py --experiment=NAME`, and `garden`, its installed twin.

A first word that is no flag names a command, a module of `garden.cli.commands`.

Nothing here imports TensorFlow: `--help`, `--list` and a misspelt name answer at once.
"""

import argparse
import atexit
import contextlib
import importlib
import os
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

from garden.cli import commands
from garden.cli.arguments import Parser
from garden.core.errors import StorageError, UserError, did_you_mean

if TYPE_CHECKING:
    from garden.engine.config import Config

STATUS_DONE = 0
STATUS_MISTAKE = 2
STATUS_STORAGE = 74

_COMMANDS = tuple(module.name for module in pkgutil.iter_modules(commands.__path__))

_EPILOG = f"""\
commands, each with its own --help: {', '.join(_COMMANDS)}

exit status: 0 done; 2 a mistake of the user's, told in one line; 42 run the same command again to
go on: the run was interrupted with everything saved, or a machine that it needs has left it; 74
something could not be written (a full disk, say).
"""

# The choices are spelled out here because the modules that define them import TensorFlow.
_TRAINING_MODES = ('train_and_eval', 'train')
_MODES = (*_TRAINING_MODES, 'eval', 'continuous_eval', 'export', 'predict')
_STRATEGIES = ('auto', 'one_device', 'mirrored', 'multi_worker', 'tpu', 'parameter_server')


def make_parser() -> argparse.ArgumentParser:
    """Returns the parser of a launch's flags."""
    parser = Parser(
        prog=os.path.basename(sys.argv[0]),
        description='Trains and evaluates an experiment.',
        epilog=_EPILOG,
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_argument_group('what to do')
    what.add_argument('--experiment', metavar='NAME', help="an experiment's name, or a gin file")
    what.add_argument('--mode', default='train_and_eval', help=' | '.join(_MODES))
    what.add_argument(
        '--list', nargs='?', const='', metavar='FILTER', help='list the experiments and leave'
    )
    what.add_argument('--json', action='store_true', help='with --list: for programs')
    what.add_argument(
        '--describe', action='store_true', help='show model, schedule and input; do not train'
    )
    what.add_argument(
        '--print_config', action='store_true', help='print the resolved configuration and leave'
    )
    how = parser.add_argument_group('how')
    how.add_argument(
        '--gin',
        action='append',
        default=[],
        metavar='BINDING',
        help="change a setting, e.g. --gin='phase.train_steps=50'; repeatable",
    )
    how.add_argument('--data_dir', metavar='DIR', help='where the data sets lie, gs:// included')
    how.add_argument('--model_dir', metavar='DIR', help="the run folder (default 'runs/NAME')")
    how.add_argument(
        '--init_checkpoint',
        metavar='PATH',
        help='weights to start from, or to evaluate (see convert)',
    )
    how.add_argument(
        '--allow_config_change',
        action='store_true',
        help='continue a run folder with another configuration',
    )
    _add_export_flags(parser)
    _add_predict_flags(parser)
    where = parser.add_argument_group('where')
    where.add_argument(
        '--tpu',
        metavar='NAME',
        help="a TPU's name, its grpc:// address, or 'local'; --describe connects to none and says "
        'what would keep the experiment off a TPU',
    )
    where.add_argument(
        '--strategy',
        default='auto',
        help=f'{" | ".join(_STRATEGIES)}, of which the last only says why it cannot be had',
    )
    where.add_argument(
        '--data_service',
        metavar='ADDRESS',
        help="take the training data from a tf.data service, 'grpc://host:port' of its dispatcher",
    )
    how.add_argument(
        '--deterministic',
        action='store_true',
        help="make TensorFlow's own ops deterministic where they can be (the default on CPUs)",
    )
    where.add_argument(
        '--devices', type=int, metavar='N', help='use N devices; on a CPU, make N of it'
    )
    parser.add_argument('--debug', action='store_true', help='show tracebacks and warnings')
    return parser


def _add_export_flags(parser: argparse.ArgumentParser) -> None:
    export = parser.add_argument_group('with --mode=export, which needs --model_dir alone')
    export.add_argument(
        '--export_dir',
        metavar='DIR',
        help="where to export (default 'export' in the run folder); or what to predict with",
    )
    export.add_argument(
        '--export_checkpoint',
        metavar='WHICH',
        help='best (the default; the last where the run has kept no best one) | last',
    )
    export.add_argument(
        '--export_formats',
        default='',
        metavar='LIST',
        help='beside the SavedModel: tflite, tflite_float16, tflite_int8, onnx; with commas',
    )


def _add_predict_flags(parser: argparse.ArgumentParser) -> None:
    predict = parser.add_argument_group(
        'with --mode=predict, of --model_dir, of --export_dir, or of --experiment with '
        '--init_checkpoint'
    )
    predict.add_argument(
        '--input',
        action='append',
        default=[],
        metavar='PATH',
        help='a file, a folder or a glob, gs:// included; repeatable',
    )
    predict.add_argument(
        '--output', metavar='PATH', help='a folder, or a table alone: FILE.csv or FILE.jsonl'
    )
    predict.add_argument('--signature', metavar='NAME', help='what to call, where several fit')
    predict.add_argument(
        '--top_k', type=int, metavar='K', help='how many classes to name (default 5)'
    )


def script() -> int:
    """Runs the command line of this process, which ends with the status returned."""
    status = 1  # Of an exception that nobody expected.

    def leave() -> None:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.flush()
        os._exit(status)

    # Registered first, it is called last, and spares Python the taking apart of TensorFlow: its
    # garbage collection took 4.1 of 4.6 seconds on a busy machine (measured), and two runs that
    # were done came to a segmentation fault in it.
    atexit.register(leave)
    status = main()
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command line and returns its exit status."""
    words = sys.argv[1:] if argv is None else argv
    debug = '--debug' in words
    try:
        if words and not words[0].startswith('-'):
            return _command(words[0], words[1:], debug)
        return _main(make_parser().parse_args(words))
    except UserError as error:
        if debug:
            traceback.print_exc()
        print(f'error: {error}', file=sys.stderr)
        return STATUS_STORAGE if isinstance(error, StorageError) else STATUS_MISTAKE
    except KeyboardInterrupt:
        return 130


def _command(name: str, argv: Sequence[str], debug: bool) -> int:
    if name not in _COMMANDS:
        raise UserError(
            f'There is no command {name}.{did_you_mean(name, _COMMANDS)} Commands: '
            f'{", ".join(_COMMANDS)}. To launch an experiment, write --experiment={name}.'
        )
    set_environment(debug)
    return importlib.import_module(f'{commands.__name__}.{name}').main(argv)


def _main(args: argparse.Namespace) -> int:
    if args.list is not None:
        from garden.cli.list import print_list

        print_list(args.list or None, args.json)
        return STATUS_DONE
    for flag, choices in (('mode', _MODES), ('strategy', _STRATEGIES)):
        value = getattr(args, flag)
        if value not in choices:
            raise UserError(
                f'--{flag}={value} is not known.{did_you_mean(value, choices)} '
                f'Choices: {", ".join(choices)}.'
            )
    if args.json:
        raise UserError('--json goes with --list.')
    if args.data_service and (args.describe or args.mode not in _TRAINING_MODES):
        raise UserError('--data_service feeds training, and nothing is trained here: leave it out.')
    of_a_run = args.mode in ('export', 'predict')
    _require_flags(args)
    if args.mode == 'predict' and args.export_dir:
        set_environment(args.debug)
        from garden.cli.predict import predict_exported

        return predict_exported(args)
    if not args.experiment and not (of_a_run and args.model_dir):
        raise UserError(
            'Which run? Give --model_dir=RUN.'
            if of_a_run
            else 'Which experiment? Give --experiment=NAME; --list shows the names.'
        )

    set_environment(args.debug)
    loaded = configuration(args)
    if args.print_config:
        print(loaded.text, end='')
        return STATUS_DONE
    from garden.cli.run import run

    return run(args, loaded)


def configuration(args: argparse.Namespace) -> 'Config':
    """Returns the configuration that the flags ask for; gin holds it.

    Raises:
      UserError: for any mistake in it.
    """
    from garden.engine import config

    overrides = [*args.gin]
    if args.deterministic:
        overrides.append('garden.experiment.deterministic = True')
    if args.init_checkpoint is not None:
        overrides.append(f'garden.experiment.init_checkpoint = {args.init_checkpoint!r}')
    if args.data_dir is not None:
        overrides.append(f'data_dir = {args.data_dir!r}')
    # Most mistakes are found here, before TensorFlow is imported.
    loaded = config.load(args.experiment or _configuration_of(args.model_dir), overrides)
    if args.data_dir is not None and '%data_dir' not in loaded.text:
        raise UserError(
            f'--data_dir={args.data_dir}: nothing in {args.experiment} reads data_dir; bind it, as '
            "--gin='sources.tfds.data_dir = %data_dir'."
        )
    return loaded


# Which modes a flag goes with, where it goes with some alone.
_FLAGS_OF = {
    'export_dir': ('export', 'predict'),
    'export_checkpoint': ('export',),
    'export_formats': ('export',),
    'input': ('predict',),
    'output': ('predict',),
    'signature': ('predict',),
    'top_k': ('predict',),
}


def _require_flags(args: argparse.Namespace) -> None:
    for flag, modes in _FLAGS_OF.items():
        if args.mode not in modes and getattr(args, flag) not in (None, '', []):
            raise UserError(f'--{flag} goes with --mode={" and --mode=".join(modes)}.')
    if args.mode != 'predict':
        return
    for flag, what in (('input', 'FILES_OR_FOLDER'), ('output', 'FOLDER')):
        if not getattr(args, flag):
            raise UserError(f'--mode=predict needs --{flag}={what}.')
    if args.export_dir and (args.model_dir or args.experiment):
        raise UserError('--export_dir is predicted with by itself: leave out the run.')


def _configuration_of(run_dir: str) -> str:
    from garden.engine.run_folder import RunFolder

    return str(RunFolder(run_dir).stored_config)


def set_environment(debug: bool = False) -> None:
    """Sets what TensorFlow reads once, when it is imported; what the user has set stays."""
    defaults = {
        # Gradients of grouped convolutions on CPUs need oneDNN.
        'TF_ENABLE_ONEDNN_OPTS': '1',
        # Keeps TensorFlow from importing Keras 3, which nothing here uses.
        'TF_USE_LEGACY_KERAS': '1',
        'TF_CPP_MIN_LOG_LEVEL': '0' if debug else '3',
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


if __name__ == '__main__':
    sys.exit(main())
