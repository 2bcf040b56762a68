"""`--mode=predict`, and what it says at its end."""

import argparse

from garden.engine.config import Config
from garden.engine.run_folder import RunFolder
from garden.predict import run
from garden.predict.output import unreadable_beside
from garden.predict.run import Predicted, Request


def predict(args: argparse.Namespace, config: Config, folder: RunFolder) -> int:
    """Predicts with a run, or with the weights of --init_checkpoint."""
    return _said(run.predict_with(config, folder, _request(args)))


def predict_exported(args: argparse.Namespace) -> int:
    """Predicts with an export, which needs no configuration."""
    return _said(run.predict_export(args.export_dir, _request(args)))


def _request(args: argparse.Namespace) -> Request:
    top = {} if args.top_k is None else {'top': args.top_k}
    return Request(args.input, args.output, args.signature, **top)


def _said(done: Predicted) -> int:
    print(f'{done.rows:,} rows by {done.signature} in {done.table}')
    if done.unreadable:
        print(f'{done.unreadable:,} files could not be read: {unreadable_beside(done.table)}')
    return 0
