"""`garden report`: a page about runs, made from their folders."""

from collections.abc import Sequence
from pathlib import Path

from garden.cli.arguments import Parser, of_command
from garden.core.errors import UserError


def main(argv: Sequence[str]) -> int:
    """Runs the command line and returns the exit status."""
    args = _parser().parse_args(argv)
    if not args.folders:
        raise UserError('What is to be reported? Name the folder of a run, e.g. runs/NAME.')
    if not args.output and len(args.folders) > 1:
        raise UserError('Where? Of several runs one page is made: give --output=FOLDER.')
    remote = next((text for text in (*args.folders, args.output or '') if '://' in text), None)
    if remote:
        raise UserError(f'{remote}: a report is made of local folders. Copy the run first.')

    from garden.report.kinds import make_page
    from garden.report.page import write

    folders = [Path(text).expanduser() for text in args.folders]
    output = Path(args.output).expanduser() if args.output else folders[0] / 'report'
    written = write(make_page(folders), output)
    print(f'The report lies in {written}')
    return 0


def _parser() -> Parser:
    parser = of_command(
        'report',
        'Makes one page about a run, or about several and how they differ: index.html, which opens '
        'without a server or network, and its pictures as PNG.',
    )
    parser.add_argument('folders', nargs='*', metavar='RUN', help='the folder of a run')
    parser.add_argument(
        '--output', metavar='FOLDER', help="where to (default 'report' in the run's folder)"
    )
    return parser
