"""How experiments are found by name, and what the header of a file says."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from planting import plant, uproot

import garden
from garden.core import catalog
from garden.core.errors import UserError
from garden.engine import config_reader, experiments

CHECKOUT = Path(garden.__file__).parents[1]
SHIPPED = [e for e in experiments.catalogue() if CHECKOUT in e.path.parents]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The folder of a package's experiments, with a file in it."""
    uproot()
    plant(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    experiments.roots.cache_clear()
    yield tmp_path / 'nursery' / 'plots'
    experiments.roots.cache_clear()


def refused(name):
    with pytest.raises(UserError) as error:
        experiments.find(name)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_an_experiment_is_found_by_its_name(root):
    assert experiments.find('tall_fern') == root / 'ferns' / 'tall_fern.gin'


def test_a_path_is_taken_wherever_it_leads(root, monkeypatch):
    mine = root.parents[1] / 'mine.gin'
    mine.write_text('')
    monkeypatch.chdir(mine.parent)
    assert experiments.find('mine.gin') == mine
    assert experiments.find(str(mine)) == mine
    assert experiments.find('nursery/plots/base/soil.gin') == root / 'base' / 'soil.gin'
    assert experiments.find('base/soil.gin') == root / 'base' / 'soil.gin'  # As an include.


def test_a_misspelt_name_is_told_with_the_nearest(root):
    assert refused('tal_fern') == (
        "There is no experiment 'tal_fern'. Did you mean tall_fern? --list shows all experiments."
    )
    assert refused('no/tall_ferm.gin') == (
        'There is no file no/tall_ferm.gin. Did you mean tall_fern? --list shows all experiments.'
    )


def test_a_base_file_is_no_experiment(root):
    assert "There is no experiment 'soil'." in refused('soil')
    assert 'soil' not in {e.name for e in experiments.catalogue()}


def test_one_name_twice_names_both_files(root):
    (root / 'mosses').mkdir()
    shutil.copy(root / 'ferns' / 'tall_fern.gin', root / 'mosses')
    message = refused('tall_fern')
    assert "'tall_fern' is the name of 2 experiments: " in message
    assert 'nursery/plots/ferns/tall_fern.gin and nursery/plots/mosses/tall_fern.gin' in message
    assert experiments.find('nursery/plots/mosses/tall_fern.gin').parent.name == 'mosses'


def test_the_family_is_the_folder_and_the_packages_name_for_files_in_none(root):
    shutil.copy(root / 'ferns' / 'tall_fern.gin', root / 'alone.gin')
    families = {e.name: e.family for e in experiments.catalogue()}
    assert families['tall_fern'] == 'ferns'
    assert families['alone'] == 'nursery'


def test_an_entry_point_to_a_package_that_is_gone_is_named(root):
    shutil.rmtree(root)
    experiments.roots.cache_clear()
    with pytest.raises(UserError, match=r'nursery = nursery\.plots.* not installed'):
        experiments.roots()


def test_the_checkout_and_the_wheel_find_the_files_they_come_with(tmp_path, monkeypatch):
    package = tmp_path / 'garden'
    (package / 'experiments' / 'base').mkdir(parents=True)
    monkeypatch.setattr(garden, '__file__', str(package / '__init__.py'))

    def first():
        experiments.roots.cache_clear()
        return next(iter(experiments.roots()))

    # A folder of this name beside the package is Garden's own only if it holds Garden's base files.
    (tmp_path / 'experiments').mkdir()
    assert first() == package / 'experiments'
    (tmp_path / 'experiments' / 'base').mkdir()
    (tmp_path / 'experiments' / 'base' / 'defaults.gin').write_text('')
    assert first() == tmp_path / 'experiments'
    experiments.roots.cache_clear()


def parse(text):
    return experiments.parse_header(textwrap.dedent(text))


def test_a_header_is_a_sentence_and_fields():
    header = parse("""\
        # A network, trained
        # on something.
        #
        # More about it, which --list does not show.
        #
        # Command: python launch.py --experiment=x
        # Expected: top1 74 %
        #   (a table)
        # Target: top1 >= 0.97
        # Paper:
        #   A title: a subtitle
        # Offline: yes
        # Not a field: nothing

        include 'base/x.gin'
        # Hardware: said too late
        """)
    assert header.summary == 'A network, trained on something.'
    assert header.fields == {
        'Command': 'python launch.py --experiment=x',
        'Expected': 'top1 74 % (a table)',
        'Target': 'top1 >= 0.97',
        'Paper': 'A title: a subtitle',
        'Offline': 'yes',
    }
    assert header.offline
    assert header.text.endswith('# Not a field: nothing\n')


@pytest.mark.parametrize('text', ['', 'a.b = 3\n', '\n\n', '#', '# Offline: no, it needs data\n'])
def test_a_header_may_be_missing_or_short(text):
    header = experiments.parse_header(text)
    assert header.summary == ''
    assert not header.offline


@pytest.mark.parametrize(
    ('hardware', 'tpu'),
    [
        ('a TPU v3-8 or eight GPUs', True),
        ('eight GPUs or TPUs', True),
        ('eight GPUs', False),
        ('OUTPUTS', False),
    ],
)
def test_a_header_says_whether_it_is_for_tpus(hardware, tpu):
    assert experiments.parse_header(f'# Hardware: {hardware}\n').tpu == tpu


@pytest.mark.parametrize('experiment', SHIPPED, ids=lambda e: e.name)
def test_the_experiments_of_garden_have_whole_headers(experiment):
    header = experiment.header
    assert re.fullmatch(r'[A-Z].*\.', header.summary)
    assert set(experiments.REQUIRED_FIELDS) <= {
        name for name, text in header.fields.items() if text
    }
    assert header.fields['Offline'].lower().startswith(('yes', 'no'))
    assert f'--experiment={experiment.name}' in header.fields['Command']


@pytest.mark.parametrize('experiment', SHIPPED, ids=lambda e: e.name)
def test_the_target_in_a_header_is_the_one_that_the_run_is_held_to(experiment):
    bindings = config_reader.read(experiment.path).bindings
    targets = [b.value for b in bindings if b.parameter == 'targets' and 'phase' in b.name]
    assert ', '.join(targets[-1] if targets else ()) == experiment.header.fields.get('Target', '')


def test_finding_and_listing_import_nothing_heavy(root):
    script = """
        import sys
        from garden.core.errors import UserError
        from garden.engine import experiments
        experiments.catalogue()
        try:
            experiments.find('no such')
        except UserError:
            print(sorted({'tensorflow', 'rich', 'numpy', 'nursery'} & set(sys.modules)))
        """
    done = subprocess.run(
        [sys.executable, '-c', textwrap.dedent(script)],
        capture_output=True,
        text=True,
        check=True,
        env={'PYTHONPATH': f'{CHECKOUT}:{root.parents[1]}'},
    )
    assert done.stdout.strip() == '[]'


def test_paths_are_shown_relative_below_the_current_folder_only(root):
    assert experiments.shown(root / 'x.gin') == 'nursery/plots/x.gin'
    assert experiments.shown(CHECKOUT) == str(CHECKOUT)
    assert catalog.locate('nursery.plots') == root
