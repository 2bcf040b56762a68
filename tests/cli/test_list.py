"""What `--list` prints, for readers, for pipes and for programs."""

import contextlib
import json
import os
import pty
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

import garden
from garden.cli.list import print_list
from garden.core.errors import UserError
from garden.engine import experiments

CHECKOUT = Path(garden.__file__).parents[1]
LONG = 'a_name_that_is_much_longer_than_the_column_of_a_narrow_terminal_would_ever_be'
FILE = """\
# {summary}
#
# Command: python launch.py --experiment={name}
# {field}
# Offline: {offline}
"""


@pytest.fixture
def shelf(tmp_path, monkeypatch):
    """Three experiments of two families."""
    for family, name, summary, field, offline in (
        ('birds', 'wren', 'A small bird.', 'Expected: top1 74.1 % (a table)', 'no'),
        ('birds', LONG, 'A bird of many words.', 'Target: top1 >= 0.9', 'yes'),
        ('fish', 'carp', 'A fish [of the pond].', 'Target: ap >= 0.5', 'yes'),
    ):
        path = tmp_path / family / f'{name}.gin'
        path.parent.mkdir(exist_ok=True)
        path.write_text(FILE.format(summary=summary, name=name, field=field, offline=offline))
    monkeypatch.setattr(experiments, 'roots', lambda: {tmp_path: 'other'})
    return tmp_path


def printed(capsys, pattern=None, as_json=False):
    print_list(pattern, as_json)
    return capsys.readouterr().out


def names(capsys, pattern):
    return [e['name'] for e in json.loads(printed(capsys, pattern, as_json=True))]


def test_experiments_are_grouped_by_family(shelf, capsys):
    lines = [re.split(r' {2,}', line) for line in printed(capsys).splitlines()]
    assert lines == [
        ['birds'],
        ['', LONG, 'offline', 'A bird of many words.', 'top1 >= 0.9'],
        ['', 'wren', 'A small bird.', 'top1 74.1 % (a table)'],
        ['fish'],
        ['', 'carp', 'offline', 'A fish [of the pond].', 'ap >= 0.5'],
    ]


@pytest.mark.parametrize(
    ('pattern', 'found'),
    [
        ('wren', ['wren']),
        ('BIRDS', [LONG, 'wren']),
        ('pond', ['carp']),
        ('c*p', ['carp']),
        ('*bird*', [LONG, 'wren']),
        ('[cw]*', ['wren', 'carp']),
        ('nothing', []),
    ],
)
def test_a_filter_looks_at_name_family_and_description(shelf, capsys, pattern, found):
    assert names(capsys, pattern) == found


def test_a_filter_that_finds_nothing_suggests_a_name(shelf):
    with pytest.raises(UserError, match=r"No experiment matches 'wrenn'\. Did you mean wren\?"):
        print_list('wrenn', as_json=False)


def test_json_holds_all_that_the_header_says(shelf, capsys):
    (wren,) = json.loads(printed(capsys, 'wren', as_json=True))
    assert wren == {
        'name': 'wren',
        'family': 'birds',
        'description': 'A small bird.',
        'command': 'python launch.py --experiment=wren',
        'expected': 'top1 74.1 % (a table)',
        'offline': False,
        'path': str(shelf / 'birds' / 'wren.gin'),
    }


def test_a_terminal_gets_a_table_with_whole_names(shelf, monkeypatch, capsys):
    monkeypatch.setattr(sys.stdout, 'isatty', lambda: True)
    monkeypatch.setenv('COLUMNS', '200')
    table = printed(capsys)
    assert LONG in table
    assert 'A fish [of the pond].' in table
    assert 'target or expected' in table
    monkeypatch.setenv('COLUMNS', '40')
    assert 'carp' in printed(capsys)


def command(*arguments):
    return [sys.executable, str(CHECKOUT / 'launch.py'), *arguments]


def test_a_terminal_is_recognised():
    """The command itself, at a terminal of its own."""
    leader, follower = pty.openpty()
    with subprocess.Popen(command('--list'), stdout=follower, stderr=follower) as process:
        os.close(follower)
        shown = b''
        with contextlib.suppress(OSError):  # So ends what there is to read of a terminal.
            while part := os.read(leader, 1024):
                shown += part
    assert process.returncode == 0
    assert ('experiment' in shown.decode()) == bool(experiments.catalogue())


def test_a_reader_that_leaves_early_is_no_error():
    process = subprocess.Popen(
        command('--list'), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert 'Traceback' not in process.stderr.read()
    process.wait()


@pytest.mark.parametrize('arguments', [('--list',), ('--list', '--json'), ('--help',)])
def test_listing_takes_less_than_300_ms_of_cpu(arguments):
    def cpu():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    times = []
    for _ in range(3):  # The first run may have to compile byte code.
        start = cpu()
        subprocess.run(command(*arguments), capture_output=True, check=False)
        times.append(cpu() - start)
    assert min(times) < 0.3


def test_listing_imports_neither_tensorflow_nor_numpy():
    script = (
        'import sys; from garden.cli.launch import main; main(["--list"]); '
        'print(sorted({"tensorflow", "numpy", "rich"} & set(sys.modules)), file=sys.stderr)'
    )
    done = subprocess.run(
        [sys.executable, '-c', script], cwd=CHECKOUT, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == '[]'
