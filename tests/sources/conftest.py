"""Fixtures for sources: TFRecord files, and caches that do not outlive a test."""

import pytest
import tensorflow as tf


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keeps what sources remember out of the user's cache."""
    folder = tmp_path_factory.mktemp('cache')
    monkeypatch.setenv('XDG_CACHE_HOME', str(folder))
    return folder


@pytest.fixture
def write_records(tmp_path):
    """Returns a function that writes TFRecord files of given lengths, numbered through."""

    def write(lengths, name='part'):
        paths, number = [], 0
        for shard, length in enumerate(lengths):
            paths.append(str(tmp_path / f'{name}-{shard:05d}-of-{len(lengths):05d}'))
            with tf.io.TFRecordWriter(paths[-1]) as writer:
                for _ in range(length):
                    writer.write(b'record %d' % number)
                    number += 1
        return paths

    return write
