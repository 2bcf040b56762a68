"""The notebooks run from their first cell to their last, as they are committed: without outputs."""

import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / 'notebooks'
# What each must have said by its end.
SAID = {
    'first_run': ('top1 >= 0.97  met', 'It is a 0, with probability 0.'),
    'new_system': ('error <= 0.16  met', 'step 600: 64 lower halves, error 0.1'),
}


def notebook(name):
    return nbformat.read(FOLDER / f'{name}.ipynb', as_version=4)


def test_each_notebook_is_run():
    assert {path.stem for path in FOLDER.glob('*.ipynb')} == set(SAID)


@pytest.mark.parametrize('name', SAID)
def test_it_is_committed_without_outputs(name):
    """An output of some day past would be read as what the code does now."""
    for cell in notebook(name).cells:
        assert not cell.get('outputs')
        assert cell.get('execution_count') is None


@pytest.mark.slow
@pytest.mark.parametrize('name', SAID)
def test_it_runs_from_the_first_cell_to_the_last(name, data, tmp_path, monkeypatch):
    from nbclient import NotebookClient
    from rich.text import Text

    monkeypatch.setenv('PATH', str(Path(sys.executable).parent), prepend=':')
    monkeypatch.setenv('PYTHONPATH', str(ROOT))
    monkeypatch.setenv('TFDS_DATA_DIR', str(data))
    found = notebook(name)
    folder = {'metadata': {'path': str(tmp_path)}}
    NotebookClient(found, timeout=300, resources=folder).execute()
    outputs = [output for cell in found.cells for output in cell.get('outputs', ())]
    texts = (o.get('text') or o.get('data', {}).get('text/plain', '') for o in outputs)
    said = Text.from_ansi('\n'.join(texts)).plain
    for sentence in SAID[name]:
        assert sentence in said, said
