"""The evaluations of a run, read while it goes on."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


class Evaluations:
    """Reads `metrics.jsonl` as it grows.

    Args:
      path: the file, which need not be there yet.
    """

    def __init__(self, path: Path):
        self._path = path
        self._file_number = 0
        self._offset = 0

    def new(self) -> Iterator[dict[str, Any]]:
        """Yields the evaluations that have been added since; all, if the file was made anew."""
        try:
            with open(self._path, 'rb') as file:
                number = os.fstat(file.fileno()).st_ino
                if number != self._file_number:  # A run that is continued replaces it.
                    self._file_number, self._offset = number, 0
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return
        whole, _, _ = text.rpartition(b'\n')
        self._offset += len(whole) + 1 if whole else 0
        for line in whole.splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # Cut short by a kill.
                continue
            if isinstance(row, dict) and row.get('kind') == 'eval':
                yield row


def outcome(
    rows: Sequence[dict[str, Any]], metric: str, phase: str | None, value: str, goal: str
) -> tuple[int, float | None] | None:
    """Returns what a run came to: step and value, which is None where it was not finite.

    Args:
      rows: its evaluations.
      metric: the metric that counts.
      phase: the phase that counts, None for the last one that has the metric.
      value: 'last' or 'best'.
      goal: 'max' or 'min'.

    Returns:
      None for a run without such an evaluation.
    """
    found = counted(rows, metric, phase)
    if not found:
        return None
    if value == 'last' or not finite(found):
        return found[-1]
    return (max if goal == 'max' else min)(finite(found), key=lambda one: one[1])


def counted(
    rows: Sequence[dict[str, Any]], metric: str, phase: str | None
) -> list[tuple[int, float | None]]:
    """Returns step and value of the evaluations that count; see `outcome`."""
    named = [row for row in rows if metric in row and phase in (None, row['phase'])]
    return [(row['step'], row[metric]) for row in named if row['phase'] == named[-1]['phase']]


def finite(values: Sequence[tuple[int, float | None]]) -> list[tuple[int, float]]:
    """Returns those that are numbers: None stands for one that is not finite."""
    return [(step, value) for step, value in values if value is not None]
