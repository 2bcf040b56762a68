import ast
import configparser
import importlib.metadata
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from garden.core import catalog
from garden.engine import experiments

ROOT = Path(__file__).parents[1]
GARDEN = ROOT / 'garden'
MODULES = sorted(GARDEN.rglob('*.py'))
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / 'setup.cfg')

# Which folders of garden/ each of them may import. A folder's modules may import one another, but
# not tasks: what two of them share belongs to a layer below.
MAY_IMPORT = {
    'garden': {'core', 'interface'},
    'core': {'core'},
    'ops': {'ops'},
    'layers': {'layers', 'ops'},
    'losses': {'losses', 'core', 'ops'},
    'augmentations': {'augmentations', 'core', 'ops'},
    'figures': {'figures'},
    'optimizers': {'optimizers', 'core'},
    'evaluators': {'evaluators', 'core', 'ops'},
    'sources': {'sources', 'core'},
    'dataloaders': {'dataloaders', 'core', 'sources', 'ops'},
    'models': {'models', 'core', 'layers', 'ops'},
    'tasks': {'core', 'ops', 'losses', 'evaluators', 'figures'},
    'engine': {'engine', 'core', 'convert', 'figures'},
    'export': {'export', 'engine', 'core', 'layers'},
    'predict': {'predict', 'export', 'engine', 'core', 'figures', 'ops'},
    'report': {'report', 'engine', 'core', 'figures'},
    'sweep': {'sweep', 'report', 'engine', 'core', 'figures'},
    'convert': {'convert', 'core'},
    'prepare': {'prepare', 'core'},
    'model_garden': {'model_garden', 'core'},
    'interface': {'interface', 'cli', 'engine', 'core'},
    'cli': {
        'cli',
        'convert',
        'export',
        'predict',
        'prepare',
        'report',
        'sweep',
        'engine',
        'core',
        'figures',
    },
}


def folder_of(path: Path) -> str:
    """Returns the folder of garden/ that a module lies in; 'garden' for one that lies in none."""
    parts = path.relative_to(GARDEN).parts
    return parts[0] if len(parts) > 1 else 'garden'


def imported(path: Path) -> Iterator[str]:
    """Yields the full name of everything that a module imports, at any depth."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f'{path}:{node.lineno}: imports are absolute'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def test_a_folder_imports_only_what_lies_below_it():
    unknown = {folder_of(path) for path in MODULES} - set(MAY_IMPORT)
    assert not unknown, f'say in MAY_IMPORT what these folders may import: {unknown}'
    offences = [
        f'{path.relative_to(ROOT)} imports {name}'
        for path in MODULES
        for name in imported(path)
        if name.startswith('garden.')
        and name.split('.')[1] in MAY_IMPORT
        and name.split('.')[1] not in MAY_IMPORT[folder_of(path)]
    ]
    assert not offences, '\n'.join(offences)


@pytest.mark.parametrize(
    ('package', 'allowed'),
    [
        ('gin', ('core/registry.py', 'engine/', 'sweep/plan.py')),
        ('orbit', ('engine/',)),
        ('official', ('model_garden/',)),
    ],
)
def test_gin_orbit_and_the_model_garden_stay_where_they_are_wrapped(package, allowed):
    users = {
        path.relative_to(GARDEN).as_posix()
        for path in MODULES
        if any(name.split('.')[0] == package for name in imported(path))
    }
    assert {user for user in users if not user.startswith(allowed)} == set()


def test_everything_imported_is_a_declared_dependency():
    extras = SETUP['options.extras_require']
    optional = [extras[name] for name in extras if name not in ('dev', 'bench')]
    declared = distributions(SETUP['options']['install_requires'], *optional)
    providers = importlib.metadata.packages_distributions()
    undeclared = {
        f'{path.relative_to(ROOT)} imports {top}'
        for path in MODULES
        for top in {name.split('.')[0] for name in imported(path)}
        if top not in sys.stdlib_module_names
        and top != 'garden'
        and not declared & {normal(name) for name in providers.get(top, ())}
    }
    assert not undeclared, '\n'.join(sorted(undeclared))


def test_every_declared_dependency_is_pinned():
    declared = distributions(
        SETUP['options']['install_requires'], *SETUP['options.extras_require'].values()
    )
    lines = (ROOT / 'constraints.txt').read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith('#')]
    loose = [pin for pin in pins if not re.fullmatch(r'[\w.-]+==[\w.]+', pin)]
    assert not loose
    assert declared <= distributions('\n'.join(pins))


def distributions(*requirements: str) -> set[str]:
    """Returns the names in blocks of one requirement a line, without versions and comments."""
    return {
        normal(re.match(r'[\w.-]+', line)[0])
        for block in requirements
        for line in block.splitlines()
        if line and not line.startswith('#')
    }


def normal(name: str) -> str:
    """Spells the name of a distribution as the package index compares it."""
    return re.sub(r'[-_.]+', '-', name).lower()


def test_keras_3_is_refused_by_the_linter():
    """Keras 3 breaks in Orbit's loops, at times in silence; tf_keras is Keras 2."""
    ruff = [sys.executable, '-m', 'ruff', 'check', '--select=TID251', '--output-format=concise']
    tree = subprocess.run([*ruff, '.'], cwd=ROOT, capture_output=True, text=True, check=False)
    assert tree.returncode == 0, tree.stdout + tree.stderr
    for offence in (
        'import keras',
        'from keras import layers',
        'from tensorflow import keras',
        'from tensorflow.keras import layers',
        'import tensorflow as tf\ntf.keras.layers.Dense(1)',
        'import tensorflow as tf\ntf.optimizers.SGD()',
        'import tensorflow as tf\ntf.losses.mse',
        'import tensorflow as tf\ntf.metrics.Mean()',
    ):
        command = [*ruff, '--stdin-filename=garden/tasks/x.py', '-']
        refused = subprocess.run(
            command, cwd=ROOT, input=offence, capture_output=True, text=True, check=False
        )
        assert 'TID251' in refused.stdout, offence


def test_importing_any_module_leaves_the_devices_open_to_configuration():
    """One TensorFlow op at module level, and a TPU or a logical device can no longer be set up."""
    names = [
        '.'.join(path.relative_to(ROOT).with_suffix('').parts).removesuffix('.__init__')
        for path in MODULES
    ]
    script = f"""
import importlib
import tensorflow as tf
cpu = tf.config.list_physical_devices('CPU')[0]
for name in {names}:
    importlib.import_module(name)
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()])
    except RuntimeError:
        raise SystemExit(f'importing {{name}} runs a TensorFlow op')
"""
    done = subprocess.run(
        [sys.executable, '-c', script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_registered_names_are_unique():
    catalog.scan()  # Names both places, where there are two.


def test_experiment_names_are_unique():
    names = Counter(experiment.name for experiment in experiments.catalogue())
    assert {name for name, count in names.items() if count > 1} == set()


def test_no_file_names_a_machine():
    """A path of one machine, or a package index, has no place in what everybody checks out."""
    listed = ['git', 'ls-files', '--cached', '--others', '--exclude-standard']
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    forbidden = re.compile(
        r'(?<![\w.-])/(?:home|root|work|farm|Users|mnt|opt)/'
        r'|pypi\.(?:org|python)|pythonhosted\.|localhost:\d'
    )
    found = [
        f'{name}:{number}: {line.strip()}'
        for name in files.stdout.splitlines()
        if (ROOT / name).is_file() and (ROOT / name).suffix != '.png'
        for number, line in enumerate((ROOT / name).read_text(errors='replace').splitlines(), 1)
        if forbidden.search(line)
    ]
    assert not found, '\n'.join(found)
