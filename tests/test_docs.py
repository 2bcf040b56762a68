"""Every block of the documentation is run, checked or marked as neither; see docs/writing.md."""

import contextlib
import json
import shutil
import tomllib

import documents
import pytest
import scratch
import yaml

from garden.core.errors import UserError
from garden.engine import config_check, config_names, config_reader

PAGES = {page.relative_to(documents.ROOT).as_posix(): page for page in documents.PAGES}
SLOW = [name for name, page in PAGES.items() if '<!-- slow' in page.read_text()]
QUICK = '--gin=phase.train_steps=4 --gin=phase.steps_per_loop=4'


@pytest.fixture(scope='module')
def shell(data):
    with contextlib.closing(scratch.Shell(data)) as shell:
        yield shell


@pytest.fixture(scope='module')
def trained(shell, tmp_path_factory):
    """A folder with a short run of regnety_mini."""
    folder = scratch.make(tmp_path_factory.mktemp('trained') / 'folder')
    shell.run(f'python launch.py --experiment=regnety_mini {QUICK}', folder)
    return folder


@pytest.fixture(scope='module')
def exported(shell, trained, tmp_path_factory):
    """The same with what it exports."""
    folder = scratch.make(tmp_path_factory.mktemp('exported') / 'folder')
    shutil.copytree(trained / 'runs', folder / 'runs')
    shell.run('python launch.py --mode=export --model_dir=runs/regnety_mini', folder)
    return folder


class Page:
    """The blocks of a page, and the folder in which they are run.

    Args:
      listed: the blocks.
      slow: whether its slow blocks are among them.
      shell: what runs them.
      folder: where; it is made.
    """

    def __init__(self, listed, slow, shell, folder):
        self.blocks = [b for b in documents.joined(listed) if slow or not b.slow]
        self.folder = scratch.make(folder)
        self._shell = shell
        self._slow = slow

    def run(self):
        for block in self.blocks:
            if self._slow and 'checked' in block.marks:
                continue  # The fast tests do.
            try:
                self._do(block)
            except (AssertionError, UserError) as error:
                raise AssertionError(f'{block.place}: {error}') from error

    def _do(self, block):
        if 'not run' in block.marks:
            return
        if 'file' in block.marks:
            scratch.write(self.folder, block.marks['file'], block.code)
        if block.language == 'gin':
            check_gin(block, self.folder)
        elif block.language == 'toml':
            tomllib.loads(block.code)
        elif block.language == 'yaml':
            list(yaml.safe_load_all(block.code))
        elif block.language == 'json':
            json.loads(block.code)
        elif block.language == 'python':
            self._python(block)
        elif block.language == 'shell':
            self._bash(block)

    def _python(self, block):
        code = '\n'.join([block.marks.get('before', ''), block.code])
        compile(code, block.place, 'exec')
        if not {'checked', 'file'} & set(block.marks):
            scratch.write(self.folder, 'block.py', code)
            self._shell.run('python block.py', self.folder)

    def _bash(self, block):
        if 'file' in block.marks:
            return
        lines = '\n'.join([block.marks.get('before', ''), block.code])
        lines = scratch.with_arguments(lines, block.arguments)
        self._shell.run(lines, self.folder, check_only='checked' in block.marks)


def check_gin(block, folder):
    """Holds a fragment to the names, parameters and types that there are."""
    path = folder / 'fragment.gin'
    path.write_text(block.code)
    names = config_names.Names()
    bindings = config_check.resolve(config_reader.read(path), names)
    for name in {binding.name for binding in bindings.values() if binding.parameter}:
        module = names.module(name)
        if module:
            config_names.import_module(module, block.place)
    config_check.check_types(bindings, config_names.Names())


@pytest.fixture
def tested(shell, request, tmp_path):
    """Returns a function that runs the blocks of a page in a folder with what it asks for."""

    def run(page, slow):
        tested = Page(documents.blocks(page), slow, shell, tmp_path / 'page')
        given = documents.given(page)
        if given and any(block.runs for block in tested.blocks):
            run, _, more = given.partition(',')
            assert run == 'runs/regnety_mini', f'no test gives {run}'
            source = request.getfixturevalue('exported' if more else 'trained')
            shutil.copytree(source / run, tested.folder / run)
        tested.run()

    return run


@pytest.mark.parametrize('name', PAGES)
def test_the_blocks_of_a_page_do_what_it_says(name, tested):
    tested(PAGES[name], slow=False)


@pytest.mark.slow
@pytest.mark.parametrize('name', SLOW)
def test_the_slow_blocks_of_a_page_do_what_it_says(name, tested):
    tested(PAGES[name], slow=True)


@pytest.mark.parametrize(
    ('text', 'told'),
    [
        ('<!-- checked: x -->\n```shell\npython launch.py --modus=eval\n```\n', 'no flag --modus'),
        (
            '<!-- checked: x -->\n```shell\ngarden --experiment=vae_mini --gin="a.b = 1"\n```\n',
            'nothing is registered as a',
        ),
        ('<!-- checked: x -->\n```shell\nmake tset\n```\n', 'tset'),
        ('<!-- checked: x -->\n```shell\ndocker build .\n```\n', 'command not found'),
        ('```shell\nfalse\ntrue\n```\n', 'status 1'),
        ('```python\nassert False, "it is wrong"\n```\n', 'it is wrong'),
        ('```gin\nmodels.regnety.dept = 4\n```\n', 'Did you mean depth'),
        ('```gin\nmodels.regnety.depth = "4"\n```\n', 'takes'),
    ],
)
def test_a_block_that_does_not_work_is_told(text, told, shell, tmp_path):
    listed = documents.parse(text, 'page.md')
    with pytest.raises(AssertionError, match=told):
        Page(listed, False, shell, tmp_path / 'page').run()


@pytest.mark.parametrize(
    ('text', 'told'),
    [
        ('A page.\n\n    python launch.py\n', 'write code between'),
        ('```\npython launch.py\n```\n', 'a block is of'),
        ('<!-- not run -->\n```shell\nls\n```\n', 'says no more'),
        ('<!-- skipped: no time -->\n```shell\nls\n```\n', 'is not known'),
        ('<!-- not run: no time -->\n\nWords.\n', 'no block follows'),
    ],
)
def test_a_block_without_language_or_with_another_mark_is_told(text, told):
    with pytest.raises(AssertionError, match=told):
        documents.parse(text, 'page.md')
