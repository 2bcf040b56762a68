"""Settings of Sphinx for what tools/gather_docs.py has gathered; `make docs` builds the site."""

import datetime
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from pygments.lexers import PythonLexer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import garden  # noqa: E402 (the checkout's)

project = 'Garden'
author = 'Garden'
release = version = garden.__version__
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']

myst_heading_anchors = 4
smartquotes = False  # What stands between quotes is mostly code.
autodoc_member_order = 'bysource'
autodoc_typehints = 'signature'
napoleon_numpy_docstring = False

html_theme = 'pydata_sphinx_theme'
html_title = 'Garden'
html_show_sourcelink = False
html_copy_source = False
html_static_path = ['_static']
html_css_files = ['garden.css']
templates_path = ['_templates']
html_theme_options = {
    'navbar_start': ['navbar-logo'],
    'navbar_align': 'left',
    'header_links_before_dropdown': 6,
    'article_footer_items': ['tested'],
    'footer_start': ['copyright'],
    'footer_end': [],
    'primary_sidebar_end': [],
    'secondary_sidebar_items': ['page-toc'],
    'show_prev_next': True,
    'search_as_you_type': False,
    'logo': {'text': 'Garden'},
}


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.add_lexer('gin', PythonLexer)  # Near enough: only @ and % are read as operators.
    app.connect('html-page-context', add_tested)


def add_tested(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Gives the foot of a page what it is to say of its tests."""
    del app, template, tree
    name = {'index': 'README.md', 'adding': 'CONTRIBUTING.md'}.get(page, f'docs/{page}.md')
    record = json.loads((ROOT / 'docs' / 'tested.json').read_text())
    if page.startswith('reference/') or page == 'contract':
        today = datetime.date.today().isoformat()
        context['tested'] = f'Made from the source of Garden {release} on {today}.'
    elif (ROOT / name).exists():
        context['tested'] = tested(name, record)


def tested(name: str, record: dict[str, Any]) -> str:
    """Returns when a page was tested, with which versions, and whether it has changed since."""
    if name not in record['pages']:
        return 'Not tested yet.'
    known = record['pages'][name]
    versions = ', '.join(f'{package} {number}' for package, number in known['versions'].items())
    now = hashlib.sha256((ROOT / name).read_bytes()).hexdigest()
    word = 'Tested on' if now == known['sha256'] else 'Changed since it was last tested, on'
    return f'{word} {known["date"]} with {versions}.'
