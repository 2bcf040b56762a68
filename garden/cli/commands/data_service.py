"""Runs a part of a tf.data service: the dispatcher, or one of its workers."""

import argparse
import signal
import threading
from collections.abc import Sequence

from garden.cli.arguments import Parser, of_command
from garden.core.errors import UserError

_EPILOG = """\
for example, on three machines, and then with the run:
  garden data_service --role=dispatcher --port=5050 --workers=data0:5051,data1:5051
  garden data_service --role=worker --port=5051 --dispatcher=head:5050 --address=data0:5051
  garden data_service --role=worker --port=5051 --dispatcher=head:5050 --address=data1:5051
  garden --experiment=NAME --data_service=grpc://head:5050
"""


def main(argv: Sequence[str]) -> int:
    """Serves until SIGTERM or Ctrl-C."""
    args = _parser().parse_args(argv)
    needed = ('workers',) if args.role == 'dispatcher' else ('dispatcher', 'address')
    for flag in needed:
        if not getattr(args, flag):
            raise UserError(f'--role={args.role} needs --{flag}. --help shows an example.')
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server = _started(args)
    print(f'tf.data service, {args.role} on port {args.port}.', flush=True)
    while not stop.wait(1.0):  # A wait without end would keep signals from being handled.
        pass
    del server
    return 0


def _parser() -> Parser:
    parser = of_command('data_service', __doc__, _EPILOG)
    parser.add_argument('--role', required=True, choices=('dispatcher', 'worker'))
    parser.add_argument('--port', required=True, type=int, help='the port to listen on')
    parser.add_argument(
        '--workers', metavar='LIST', help="dispatcher: 'host:port' of every worker, with commas"
    )
    parser.add_argument(
        '--work_dir', metavar='DIR', help='dispatcher: keeps its state here, to survive a restart'
    )
    parser.add_argument('--dispatcher', metavar='ADDRESS', help="worker: its 'host:port'")
    parser.add_argument(
        '--address', metavar='ADDRESS', help="worker: the 'host:port' that runs reach it by"
    )
    return parser


def _started(args: argparse.Namespace) -> object:
    from garden.engine import data_service

    if args.role == 'dispatcher':
        return data_service.dispatcher(args.port, args.workers.split(','), args.work_dir)
    return data_service.worker(args.port, args.dispatcher, args.address)
