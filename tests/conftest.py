"""Fixtures that all tests share: two CPU devices, one two-replica strategy, a clean gin."""

import os

os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '1')
os.environ.setdefault('TF_USE_LEGACY_KERAS', '1')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import gc
import subprocess
import time

import gin
import pytest
import tensorflow as tf
from launching import Launcher


def pytest_configure(config):
    """Splits the CPU before any op fixes the devices of the process."""
    del config
    cpu = tf.config.list_physical_devices('CPU')[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def pytest_collection_finish(session):
    """Spares the collector all that was imported: it would look through it hundreds of times."""
    del session
    gc.freeze()


@pytest.fixture(scope='session')
def two_replicas():
    """One strategy for the whole session: a second could mix up its collectives with these."""
    return tf.distribute.MirroredStrategy(['/cpu:0', '/cpu:1'])


@pytest.fixture(scope='session')
def one_device():
    """The strategy of a run on one device."""
    return tf.distribute.OneDeviceStrategy('/cpu:0')


@pytest.fixture(scope='session')
def data(tmp_path_factory):
    """A folder for data sets: what one test prepares, the next finds."""
    return tmp_path_factory.mktemp('data')


@pytest.fixture
def launcher(tmp_path, data):
    """Starts launch.py in an empty folder; what still runs ends with the test."""
    launcher = Launcher(data, tmp_path)
    yield launcher
    launcher.end()


@pytest.fixture(autouse=True)
def clean_gin():
    """Leaves no binding behind for the next test."""
    yield
    gin.clear_config()


@pytest.fixture(autouse=True)
def float32_policy():
    """Leaves no precision policy behind for the next test."""
    import tf_keras as keras

    yield
    keras.mixed_precision.set_global_policy('float32')


def mount(*arguments, tries=1):
    """Mounts a file system; skips the test where that is not allowed."""
    for _ in range(tries):
        done = subprocess.run(['mount', *arguments], capture_output=True, text=True, check=False)
        if not done.returncode:
            return
        time.sleep(0.1)
    pytest.skip(f'no right to mount file systems: {done.stderr.strip()}')


@pytest.fixture
def disk(tmp_path):
    """A small file system of its own, 1 MiB in memory."""
    folder = tmp_path / 'disk'
    folder.mkdir()
    mount('-t', 'tmpfs', '-o', 'size=1m', 'none', str(folder))
    yield folder
    subprocess.run(['umount', '--lazy', str(folder)], check=True)


@pytest.fixture
def read_only():
    """Returns a function that makes a folder read-only, for root too: mounted over itself."""
    mounted = []

    def protect(folder):
        mount('--bind', str(folder), str(folder))
        mounted.append(folder)
        # Refused for the moment in which a thread is writing there.
        mount('-o', 'remount,bind,ro', str(folder), tries=50)

    def release():
        while mounted:
            subprocess.run(['umount', '--lazy', str(mounted.pop())], check=True)

    protect.release = release
    yield protect
    release()
