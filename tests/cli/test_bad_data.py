"""A whole run that meets bad examples, as a user sees it."""

import json

import pytest
import regnety_mini
import tensorflow as tf
from launching import free_ports

from garden.core.feed import shuffled
from garden.sources.records import record_offsets
from garden.sources.tfds import TFDS

QUICK = regnety_mini.flags(
    'garden.phase.eval_interval = 4', 'garden.phase.checkpoint_interval = 2', 'batch_size = 64'
)


@pytest.fixture
def damaged(launcher, tmp_path):
    """The digits, of which the second step is to read three bad ones."""
    launcher.data = data = tmp_path / 'data'
    size = len(TFDS('digits', 'train', str(data)))
    bad = [int(i) for i in shuffled(tf.range(70, 73, dtype=tf.int64), size, 0)]
    (path,) = data.rglob('digits-train.tfrecord*')
    stored = list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    stored[bad[0]] = b'\xff\xfe no example'
    stored[bad[1]] = stored[bad[1]].replace(b'PNG', b'GNP')
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in stored:
            writer.write(record)
    with open(path, 'r+b') as file:
        file.seek(int(record_offsets(str(path))[bad[2]]) + 20)
        file.write(b'####')
    return path, bad


@pytest.mark.slow
def test_a_run_skips_bad_examples_says_so_and_goes_on(launcher, tmp_path, damaged):
    path, bad = damaged
    done = launcher.run(*QUICK, '--model_dir=run')
    assert done.returncode == 0, done.stderr
    assert done.stderr == ''
    lines = [line for line in done.stdout.splitlines() if 'bad example skipped' in line]
    offsets = record_offsets(str(path))
    assert len(lines) == 3
    for index in bad:
        (line,) = [one for one in lines if f'{path}, record at byte {offsets[index]}: ' in one]
        # What cannot even be read is met at once, for this experiment keeps its data in memory.
        assert line.startswith(f'main step {int(index == bad[1])}: ')
    assert '3 bad examples' in done.stdout.splitlines()[-2]
    summary = json.loads((tmp_path / 'run/summary.json').read_text())
    assert sorted(one['index'] for one in summary['bad_examples']) == sorted(bad)
    assert summary['phases'][0]['step'] == 4

    strict = '--gin=train/dataloaders.image_classification.bad_examples = 2'
    refused = launcher.run(*QUICK, '--model_dir=strict', strict)
    assert refused.returncode == 2, refused.stdout + refused.stderr
    (line,) = refused.stderr.splitlines()
    assert 'Traceback' not in refused.stderr
    assert '3 bad examples, where train/dataloaders.image_classification.bad_examples all' in line
    assert all(f'record at byte {offsets[index]}: ' in line for index in bad)


@pytest.mark.slow
def test_of_two_workers_both_leave_and_go_on_without_the_example(launcher, tmp_path, damaged):
    _, bad = damaged
    addresses = [f'127.0.0.1:{port}' for port in free_ports(2)]

    def start(index):
        task = {'type': 'worker', 'index': index}
        config = json.dumps({'cluster': {'worker': addresses}, 'task': task})
        return launcher.start(*QUICK, '--model_dir=run', TF_CONFIG=config)

    statuses, said = [], []
    while not statuses or (42 in statuses[-1] and len(statuses) < 4):
        workers = [start(index) for index in range(2)]
        said += [worker.communicate(timeout=280) for worker in workers]
        statuses.append([worker.returncode for worker in workers])
    assert statuses[0] == [42, 42], said
    assert statuses[-1] == [0, 0], said
    summary = json.loads((tmp_path / 'run/summary.json').read_text())
    assert sorted(one['index'] for one in summary['bad_examples']) == sorted(bad)
