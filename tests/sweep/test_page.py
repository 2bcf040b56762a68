"""The page of a sweep, made from its folder alone."""

import dataclasses
import re

from garden.cli.launch import main
from garden.sweep.page import SweepPage


def test_the_page_has_the_best_trial_and_all_others(sweeps, capfd):
    key = 'optimizers.sgd.learning_rate'
    sweeps.add(
        'engines.optuna.sampler = @samplers.grid()',
        f"sweep.space = {{'{key}': [0.1, 0.01, 100.0], 'models.regnety.depth': [4]}}",
        'sweep.trials = None',
    )
    assert sweeps.run().returncode == 0
    page = SweepPage().page([sweeps.folder.path])
    best, _, trials = page.sections
    assert page.facts[0][1].text == '1'  # Of the stand-in, at 0.1.
    assert [key, '0.1'] in [list(row) for row in best.parts[1].rows]
    assert [picture.name for picture in page.pictures] == ['values', 'curves', 'settings']
    rows = {row[4]: [cell.text for cell in (row[1], row[-1])] for row in trials.parts[0].rows}
    assert rows['0.1'] == ['1', 'complete']
    assert rows['0.01'] == ['0.9', 'complete']
    assert rows['100'][1].startswith('diverged: error: Training diverged')
    assert main(['report', str(sweeps.folder.path)]) == 0
    html = (sweeps.folder.path / 'report' / 'index.html').read_text()
    assert re.search(r'<h1>\s*search', html)


def test_a_sweep_that_has_hardly_begun_has_a_page(sweeps):
    sweeps.prepare()
    (trial,) = sweeps.folder.trials()
    fresh = dataclasses.replace(trial, number=1, state='running', value=None, step=None)
    sweeps.folder.write(fresh)
    assert SweepPage().page([sweeps.folder.path]).sections[2].parts[0].rows[1][0] == '1'
    sweeps.folder.write(dataclasses.replace(fresh, number=0))
    page = SweepPage().page([type(sweeps.folder)(sweeps.folder.path).path])
    assert page.facts[0] == ('trials', '2 running')
    assert not page.pictures
