"""Garden installed from its wheel, away from the checkout, alone and beside another's package."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ('experiments', 'garden')
FILES = ('LICENSE', 'README.md', 'pyproject.toml', 'setup.cfg', 'setup.py')

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SYSTEM = '''\
"""A system from outside: it fits y = 3 x with one weight."""

import tensorflow as tf
import tf_keras as keras

from garden import Task, register
from garden.core import optim
from garden.core.feed import Feed


@register('models', '{name}_line')
class Line(tf.Module):
    def __init__(self, start: float = 0.0):
        super().__init__()
        self.slope = tf.Variable(start)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        return self.slope * x


@register('tasks', '{name}_fit')
class Fit(Task):
    eval_scalars = ('error',)

    def __init__(self, model: Line, optimizer: keras.optimizers.Optimizer):
        super().__init__()
        self.model = model
        self.optimizer = optim.prepare(optimizer, model.trainable_variables)

    def train_data(self, feed: Feed) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensors(tf.ones([feed.per_replica(4)])).repeat()

    def train_step(self, batch: tf.Tensor, seed: tf.Tensor) -> dict[str, tf.Tensor]:
        def loss(x):
            loss = tf.reduce_mean((self.model(x) - 3.0 * x) ** 2)
            return loss, {{'loss': loss}}

        return optim.minimize(loss, batch, self.optimizer, self.model.trainable_variables)

    def eval_data(self, feed: Feed) -> tf.data.Dataset:
        return tf.data.Dataset.from_tensors(tf.ones([feed.per_replica(4)]))

    def eval_step(self, batch: tf.Tensor, seed: tf.Tensor):
        return {{'error': tf.abs(self.model(batch) - 3.0 * batch)}}, {{}}
'''

EXPERIMENT = """\
# A line, fitted by a package from elsewhere.
#
# Command: garden --experiment={name}
# Offline: yes
include 'base/defaults.gin'
{imports}
garden.phase.task = @tasks.{name}_fit
garden.phase.train_steps = 40
garden.phase.steps_per_loop = 20
tasks.{name}_fit.model = @models.{name}_line()
tasks.{name}_fit.optimizer = @optimizers.sgd()
optimizers.sgd.learning_rate = 0.05
optimizers.sgd.momentum = 0.0
"""

PROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "garden-pond"
version = "1"

[project.entry-points."garden.systems"]
pond = "pond"

[project.entry-points."garden.experiments"]
pond = "pond.experiments"

[tool.setuptools]
packages = ["pond", "pond.experiments"]

[tool.setuptools.package-data]
"pond.experiments" = ["*.gin"]
"""


class Environment:
    """A virtual environment that borrows the dependencies of the one the tests run in."""

    def __init__(self, path: Path):
        venv.create(path, with_pip=False)
        self.bin = path / 'bin'
        paths = {'base': path, 'platbase': path}
        site_packages = Path(sysconfig.get_path('purelib', 'venv', vars=paths))
        # A line that names a folder puts it on the path; the .pth files in there are not read, as
        # that of an editable Garden.
        (site_packages / 'borrowed.pth').write_text(sysconfig.get_path('purelib'))
        self.site_packages = site_packages

    def install(self, what: Path) -> None:
        pip(self.bin / 'python', 'install', str(what))

    def run(self, *command: str, cwd: Path, **extra: str) -> subprocess.CompletedProcess[str]:
        """Runs one of the environment's commands outside the checkout and returns how it went."""
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=cwd,
            env={**clean_environment(), 'TFDS_DATA_DIR': str(cwd / 'data'), **extra},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith('PYTHON')}


def pip(python: Path | str, command: str, *arguments: str) -> None:
    options = ('--no-deps', '--no-index', '--no-build-isolation', '--disable-pip-version-check')
    done = subprocess.run(
        [sys.executable, '-m', 'pip', '--python', str(python), command, *options, *arguments],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope='module')
def wheel(tmp_path_factory):
    """The wheel, built from a copy so that the checkout keeps no build/ and lends no old one."""
    folder = tmp_path_factory.mktemp('wheel')
    source = folder / 'source'
    source.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name)
    for name in FILES:
        shutil.copy(ROOT / name, source)
    pip(sys.executable, 'wheel', f'--wheel-dir={folder}', str(source))
    return next(folder.glob('*.whl'))


@pytest.fixture(scope='module')
def environment(wheel, tmp_path_factory):
    environment = Environment(tmp_path_factory.mktemp('installed') / 'env')
    environment.install(wheel)
    return environment


@pytest.fixture(scope='module')
def with_pond(wheel, tmp_path_factory):
    """An environment with Garden and a package that brings a system and an experiment."""
    folder = tmp_path_factory.mktemp('plug_in')
    environment = Environment(folder / 'env')
    environment.install(wheel)
    source = folder / 'source'
    (source / 'pond' / 'experiments').mkdir(parents=True)
    (source / 'pyproject.toml').write_text(PROJECT)
    (source / 'pond' / '__init__.py').write_text('')
    (source / 'pond' / 'systems.py').write_text(SYSTEM.format(name='pond'))
    text = EXPERIMENT.format(name='pond', imports='')
    (source / 'pond' / 'experiments' / 'pond.gin').write_text(text)
    environment.install(source)
    return environment


def test_the_wheel_holds_every_module_and_every_experiment_and_nothing_else(wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if '.dist-info/' not in name}
    modules = {
        path.relative_to(ROOT).as_posix()
        for pattern in ('*.py', '*.safetensors', '*.html', '*.css')
        for path in (ROOT / 'garden').rglob(pattern)
    }
    files = {path.relative_to(ROOT) for path in (ROOT / 'experiments').rglob('*.gin')}
    assert names == modules | {f'garden/{path.as_posix()}' for path in files}


def test_the_environment_really_uses_the_wheel(environment, tmp_path):
    code = 'import garden; print(garden.__file__)'
    done = environment.run('python', '-c', code, cwd=tmp_path)
    assert done.stdout.strip() == str(environment.site_packages / 'garden' / '__init__.py')


def test_the_installed_command_lists_the_experiments(environment, tmp_path):
    done = environment.run('garden', '--list', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 'regnety_mini' in done.stdout


def test_the_installed_command_trains_and_evaluates(environment, tmp_path):
    done = environment.run(
        'garden',
        '--experiment=regnety_mini',
        '--gin=phase.train_steps=2',
        '--gin=phase.steps_per_loop=2',
        '--model_dir=run',
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (phase,) = json.loads((tmp_path / 'run' / 'summary.json').read_text())['phases']
    assert phase['step'] == 2
    assert 0 <= phase['metrics']['top1'] <= 1


def test_a_package_from_elsewhere_brings_its_own_system_and_experiment(with_pond, tmp_path):
    listed = with_pond.run('garden', '--list', cwd=tmp_path)
    assert 'pond' in listed.stdout.split(), listed.stdout + listed.stderr
    done = with_pond.run('garden', '--experiment=pond', '--model_dir=run', cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (phase,) = json.loads((tmp_path / 'run' / 'summary.json').read_text())['phases']
    # The error shrinks by 1 - 2 * 0.05 a step, from 3.
    assert phase['metrics']['error'] == pytest.approx(3 * 0.9**40, rel=1e-3)


def test_a_name_from_elsewhere_is_suggested_like_garden_s_own(with_pond, tmp_path):
    done = with_pond.run(
        'garden',
        '--experiment=pond',
        '--gin=models.pond_lin.start=1.0',
        '--model_dir=run',
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert 'pond_line' in done.stderr
    assert 'Traceback' not in done.stderr


def test_a_name_from_elsewhere_is_known_in_python_without_an_import(with_pond, tmp_path):
    code = "from garden import registry; print(registry.get('models', 'pond_line').__module__)"
    done = with_pond.run('python', '-c', code, cwd=tmp_path)
    assert done.stdout.split()[-1:] == ['pond.systems'], done.stderr


def test_an_import_line_is_enough_for_code_that_is_not_installed(environment, tmp_path):
    (tmp_path / 'code').mkdir()
    (tmp_path / 'code' / 'pool.py').write_text(SYSTEM.format(name='pool'))
    text = EXPERIMENT.format(name='pool', imports='import pool')
    (tmp_path / 'my_own.gin').write_text(text)
    done = environment.run(
        'garden',
        '--experiment=my_own.gin',
        '--model_dir=run',
        cwd=tmp_path,
        PYTHONPATH=str(tmp_path / 'code'),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (phase,) = json.loads((tmp_path / 'run' / 'summary.json').read_text())['phases']
    assert phase['metrics']['error'] == pytest.approx(3 * 0.9**40, rel=1e-3)
