import re
from pathlib import Path

from tools import experiments_table

ROOT = Path(__file__).parents[1]


def test_the_table_of_experiments_is_that_of_the_files():
    written = experiments_table.PAGE.read_text()
    assert written == experiments_table.page(), 'run python tools/experiments_table.py'


def test_the_files_that_the_documents_link_to_exist():
    for document in (*ROOT.glob('*.md'), *ROOT.glob('docs/**/*.md')):
        links = re.findall(r'\]\(([^):]+)\)', document.read_text())
        paths = [link.partition('#')[0] for link in links]
        missing = [path for path in paths if path and not (document.parent / path).exists()]
        assert not missing, f'{document} links to {missing}'
