"""From a parsed command line to a finished run."""

import argparse
import contextlib
import dataclasses
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from absl import logging

from garden.cli.terminal import Terminal
from garden.core.bad_examples import different
from garden.core.errors import UserError
from garden.engine import config as config_lib
from garden.engine import mistakes, networks, provenance
from garden.engine.controller import Observer
from garden.engine.data_service import DataService
from garden.engine.experiment import Phase, Result, Runtime, experiment
from garden.engine.failures import passing_failure
from garden.engine.interruption import EXIT_STATUS, Interrupted, Interruption
from garden.engine.recorder import Recorder
from garden.engine.run_folder import RunFolder
from garden.engine.strategy import asks_for_tpu, make_strategy
from garden.engine.tpu_safety import Rehearsal
from garden.engine.trainer import Trainer
from garden.report import curves


def run(args: argparse.Namespace, config: config_lib.Config) -> int:
    """Describes or runs the experiment that gin holds and returns the exit status."""
    logging.set_verbosity(logging.INFO if args.debug else logging.WARNING)
    tf.get_logger().setLevel('INFO' if args.debug else 'ERROR')
    strategy = _strategy(args)
    try:
        if args.describe:
            from garden.cli.describe import describe

            describe(config, strategy, RunFolder(path(args, config), trains=False))
            return 0
        if args.mode == 'export':
            return _export(args, config)
        if args.mode == 'predict':
            from garden.cli.predict import predict

            folder = RunFolder(path(args, config), write=False, trains=False)
            _require_configuration(folder, args, config)
            return predict(args, config, folder)
        return _launch(args, config, strategy)
    except Interrupted:
        return EXIT_STATUS
    except Exception as error:
        reason = passing_failure(error, strategy)
        if reason is not None:
            return _again(reason)
        if args.debug:
            raise
        mistake = mistakes.told(error, config)
        if mistake is not None:
            raise mistake from error
        raise


def _strategy(args: argparse.Namespace) -> tf.distribute.Strategy:
    if args.describe and asks_for_tpu(args.strategy, args.tpu, args.devices):
        return Rehearsal()
    if args.mode in ('export', 'predict'):  # What is called is of no replica.
        return tf.distribute.get_strategy()
    return make_strategy(args.strategy, args.tpu, args.devices)


def _export(args: argparse.Namespace, config: config_lib.Config) -> int:
    from garden.export.run import export

    folder = RunFolder(path(args, config), write=False, trains=False)
    _require_configuration(folder, args, config)
    formats = [name.strip() for name in args.export_formats.split(',') if name.strip()]
    exported = export(config, folder, args.export_dir, args.export_checkpoint or 'best', formats)
    card = exported.card
    print(
        f'Exported step {card.step:,} of phase {card.phase} ({card.checkpoint} checkpoint) to '
        f'{exported.path}: {", ".join(card.signatures)}'
    )
    for kind, made in card.formats.items():
        print(f'{kind}: {", ".join(made["files"])}')
    if card.not_made():
        print('Not made:', *card.not_made(), sep='\n  ')
    return 0


def _launch(
    args: argparse.Namespace, config: config_lib.Config, strategy: tf.distribute.Strategy
) -> int:
    with contextlib.ExitStack() as stack:
        return _run_in(_open_folder(args, config, strategy, stack), args, config, strategy)


def _run_in(
    folder: RunFolder,
    args: argparse.Namespace,
    config: config_lib.Config,
    strategy: tf.distribute.Strategy,
) -> int:
    terminal = Terminal(config, folder, strategy, args.mode)

    to_build = len(config.get('garden.experiment.phases'))
    names: list[str] = []

    def built(phase: Phase, trainer: Trainer) -> None:
        terminal.built(phase, trainer)
        if folder.trains:
            folder.write_text('operative_config.gin', config.operative())
            if args.allow_config_change or not folder.has_checkpoint(phase.name):
                networks.note(folder, phase.name, trainer)
        names.append(phase.name)
        # Of several phases, the last to be built may be the one that reads a setting.
        if len(names) == to_build:
            terminal.unused(config.unused())

    def observers(phase: Phase, trainer: Trainer) -> Sequence[Observer]:
        recorder = Recorder(folder, phase.name)
        return (recorder, terminal.observer(phase, trainer))

    with Interruption() as interruption, terminal:
        try:
            results = experiment(
                Runtime(
                    strategy=strategy,
                    folder=folder,
                    mode=args.mode,
                    observers=observers,
                    interruption=interruption,
                    description=config.text,
                    built=built,
                    waiting=terminal.waiting,
                    data_service=_data_service(args.data_service),
                )
            )
        except Interrupted:
            terminal.interrupted()
            raise
    _conclude(folder, results)
    terminal.finished(results)
    return 0


def _data_service(address: str | None) -> DataService | None:
    if address is None:
        return None
    service = DataService(address)
    # A run that has lost it is at a standstill and can end in no other way.
    service.watch(lambda reason: os._exit(_again(reason)))
    return service


def _again(reason: str) -> int:
    print(f'{reason} Run the same command again to go on.', file=sys.stderr, flush=True)
    return EXIT_STATUS


def _open_folder(
    args: argparse.Namespace,
    config: config_lib.Config,
    strategy: tf.distribute.Strategy,
    stack: contextlib.ExitStack,
) -> RunFolder:
    """Opens the run folder."""
    folder = RunFolder(
        path(args, config),
        write=strategy.extended.should_checkpoint,
        trains=args.mode in ('train', 'train_and_eval'),
    )
    _require_configuration(folder, args, config)
    if folder.write and folder.trains:
        folder.create()
        stack.enter_context(folder.locked())
        folder.write_text(folder.config.name, config.text)
        seed = config.get('garden.experiment.seed') or 0
        devices = f'{strategy.num_replicas_in_sync} x {_device(strategy)}'
        folder.note_launch(provenance.launch(seed, devices))
    return folder


def _require_configuration(
    folder: RunFolder, args: argparse.Namespace, config: config_lib.Config
) -> None:
    """Refuses a folder that holds a run of another configuration, unless that is asked for."""
    if not folder.begun or args.allow_config_change:
        return
    changes = config_lib.difference(folder.config.read_text(), config.text)
    if changes:
        more = f' and {len(changes) - 1} more' if len(changes) > 1 else ''
        raise UserError(
            f'{folder.path} holds a run of another configuration: {changes[0]}{more}. '
            'Give another --model_dir, or --allow_config_change to go on with the new one.'
        )


def path(args: argparse.Namespace, config: config_lib.Config) -> str | Path:
    """Returns the run folder."""
    return args.model_dir or Path('runs') / config.name


def _device(strategy: tf.distribute.Strategy) -> str:
    return tf.DeviceSpec.from_string(strategy.extended.worker_devices[0]).device_type


def _conclude(folder: RunFolder, results: Sequence[Result]) -> None:
    """Writes the summary and the learning curves."""
    if not folder.write:
        return
    recoveries = [row for row in folder.read_metrics() if row['kind'] == 'recovery']
    phases = [dataclasses.asdict(result) for result in results]
    known = {(phase['phase'], phase['step']): phase for phase in folder.read_summary()}
    # A run that only trained has nothing to say of a state that was evaluated before.
    phases = [p if p['metrics'] else known.get((p['phase'], p['step']), p) for p in phases]
    bad = [
        {'phase': result.phase, **dataclasses.asdict(one)}
        for result in results
        for one in different(folder.bad_examples(result.phase))
    ]
    folder.write_json(
        folder.summary.name, {'phases': phases, 'recoveries': recoveries, 'bad_examples': bad}
    )
    if not folder.trains:
        return
    for result in results:
        picture = curves.draw(folder, result.phase, result.targets)
        if picture is not None:
            folder.write_pictures(result.phase, {'learning_curves': picture})
