"""docs/python.md, whose blocks the test of the documents runs, shows the examples as they stand."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_shows_each_example_as_it_stands():
    page = (ROOT / 'docs' / 'python.md').read_text()
    blocks = re.findall(r'^```python\n(.*?)^```$', page, re.DOTALL | re.MULTILINE)
    shown = {re.search(r'python examples/(\w+)\.py', block)[1]: block for block in blocks}
    assert len(shown) == len(blocks) == 5
    for name, block in shown.items():
        assert block == (ROOT / 'examples' / f'{name}.py').read_text(), name
    kept = {path.stem for path in (ROOT / 'examples').glob('*.py')}
    assert kept - {*shown} == {'autoencoder_fit'}  # Longer; it has a test of its own.
