import json

import pytest

from garden.sweep.metrics import Evaluations, outcome


def row(step, phase='main', **metrics):
    return {'phase': phase, 'kind': 'eval', 'step': step, **metrics}


def test_a_growing_file_is_read_line_by_line(tmp_path):
    path = tmp_path / 'metrics.jsonl'
    evaluations = Evaluations(path)
    assert not [*evaluations.new()]
    lines = [json.dumps(row(step, top1=0.5)) for step in (1, 2, 3)]
    train = json.dumps({**row(2, loss=1.0), 'kind': 'train'})
    path.write_text(f'{lines[0]}\n{train}\n{lines[1][:9]}')
    assert [found['step'] for found in evaluations.new()] == [1]
    with path.open('a') as file:
        file.write(f'{lines[1][9:]}\n')
    assert [found['step'] for found in evaluations.new()] == [2]
    assert not [*evaluations.new()]
    # A run that is continued writes the file anew, without what it takes back.
    (tmp_path / 'new').write_text(f'{lines[0]}\n{lines[2]}\n')
    (tmp_path / 'new').replace(path)
    assert [found['step'] for found in evaluations.new()] == [1, 3]


ROWS = [
    row(1, top1=0.9),
    row(2, top1=0.2),
    row(1, 'late', top1=0.4),
    row(2, 'late', top1=None),
    row(3, 'late', loss=1.0),
]


@pytest.mark.parametrize(
    ('phase', 'value', 'goal', 'expected'),
    [
        ('main', 'last', 'max', (2, 0.2)),
        ('main', 'best', 'max', (1, 0.9)),
        ('main', 'best', 'min', (2, 0.2)),
        (None, 'last', 'max', (2, None)),
        (None, 'best', 'max', (1, 0.4)),
        ('other', 'last', 'max', None),
    ],
)
def test_a_run_comes_to_its_last_or_best_evaluation(phase, value, goal, expected):
    assert outcome(ROWS, 'top1', phase, value, goal) == expected
