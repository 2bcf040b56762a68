"""Processes that are measured in turn: one works while the others wait, each with its own library.

A peer's script builds what it measures and calls `serve`; the benchmark starts it as a `Peer` and
asks it for work. Standard library only, for any peer's environment to be able to import it.
"""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def serve(work: Callable[[int], None]) -> None:
    """Calls `work(count)` for each number read, and tells what it took; the peer's side.

    Processor time counts from the end of the turn before, for what is made ahead meanwhile, while
    others have their turn, not to come for nothing.
    """
    print(json.dumps({'ready': True}), flush=True)
    cpu = time.process_time()
    for line in sys.stdin:
        start, before = time.perf_counter(), cpu
        work(int(line))
        wall, cpu = time.perf_counter() - start, time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({'wall': wall, 'cpu': cpu - before, 'peak_mib': peak}), flush=True)


class Peer:
    """A process that waits for work.

    Args:
      script: its file in this folder.
      arguments: for it.
      python: the interpreter to run it with.
      threads: how many threads its libraries may use.
    """

    def __init__(self, script: str, arguments: list[str], python: str, threads: int):
        limits = {
            name: str(threads)
            for name in (
                'OMP_NUM_THREADS',
                'TF_NUM_INTRAOP_THREADS',
                'TF_NUM_INTEROP_THREADS',
            )
        }
        quiet = {'TF_CPP_MIN_LOG_LEVEL': '3', 'TF_ENABLE_ONEDNN_OPTS': '1'}
        self._process = subprocess.Popen(
            [python, str(ROOT / 'benchmarks/peers' / script), *arguments],
            env=os.environ | limits | quiet | {'PYTHONPATH': str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def work(self, count: int) -> dict[str, float]:
        """Has it do `count` pieces of work; returns wall and processor seconds, and peak memory."""
        assert self._process.stdin is not None
        self._process.stdin.write(f'{count}\n')
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{'):
                return json.loads(line)
        raise SystemExit(f'{self._process.args} ended with status {self._process.wait()}.')

    def __enter__(self) -> 'Peer':
        return self

    def __exit__(self, *unused: object) -> None:
        self._process.kill()
        self._process.wait()
