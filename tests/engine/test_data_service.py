"""Training data from a tf.data service: the same batches in the same order, or a word that not."""

import queue

import numpy as np
import pytest
import tensorflow as tf
from launching import free_ports
from running import fingerprint
from toy import Toy
from worker_processes import AGAIN, Processes, advances, assert_same_end, ended

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.engine import data_service
from garden.engine.data_service import BEGUN_ANEW, DataService
from garden.engine.experiment import Phase
from garden.engine.failures import passing_failure


class EagerToy(Toy):
    compiled = False


@pytest.fixture
def service():
    """Returns a function that starts a service in this process and returns its address."""
    servers = []

    def start(workers, missing=0):
        head, *ports = free_ports(1 + workers)
        addresses = [f'127.0.0.1:{port}' for port in ports]
        servers.append(data_service.dispatcher(head, addresses))
        for port, address in list(zip(ports, addresses, strict=True))[missing:]:
            servers.append(data_service.worker(port, f'127.0.0.1:{head}', address))
        return f'grpc://127.0.0.1:{head}'

    yield start
    while servers:  # Workers first.
        servers.pop()


def taken(dataset, count):
    return [tf.nest.map_structure(np.asarray, batch) for batch in dataset.take(count)]


@pytest.mark.parametrize('workers', [1, 3])
def test_the_batches_are_those_of_a_run_without_it(service, workers):
    make = Toy().train_data
    served = DataService(service(workers))
    for place in ({}, {'step': 7}, {'step': 2, 'replicas': 4, 'pipelines': 2, 'pipeline': 1}):
        feed = Feed(seed=3, **place)
        batches = served.batches(make, feed)
        assert batches.cardinality() == tf.data.INFINITE_CARDINALITY
        for ours, theirs in zip(taken(batches, 12), taken(make(feed), 12), strict=True):
            tf.nest.map_structure(np.testing.assert_array_equal, ours, theirs)


@pytest.mark.parametrize('task', [Toy, EagerToy])
def test_a_run_with_it_is_equal_to_one_without(service, runner, one_device, task):
    phase = Phase(task=task, train_steps=7, steps_per_loop=2, eval_interval=7)
    _, alone = runner(one_device, phase, folder='alone')
    fed_by = DataService(service(2))
    _, fed = runner(one_device, phase, folder='fed', data_service=fed_by)
    assert fingerprint(alone[0]) == fingerprint(fed[0])


def test_batches_that_are_not_the_expected_ones_are_refused(service, one_device):
    """A worker that was started anew makes those of the run's first steps again."""
    served = DataService(service(1))
    made = served._made_by
    served._made_by = lambda index, batches: made(index, batches.take(3).repeat())
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        taken(served.batches(Toy().train_data, Feed()), 4)
    assert passing_failure(caught.value, one_device) == BEGUN_ANEW


def test_python_code_in_the_input_is_refused(service):
    def make(feed):
        numbers = tf.data.Dataset.range(feed.step, tf.int64.max)
        return numbers.map(lambda n: tf.numpy_function(lambda x: x, [n], tf.int64))

    with pytest.raises(UserError, match=r'call back to Python \(PyFunc\)'):
        DataService(service(1)).batches(make, Feed())


def test_a_service_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(data_service, '_PATIENCE', 0.5)
    (port,) = free_ports(1)
    with pytest.raises(UserError, match=f'--data_service=.*nothing answers at 127.0.0.1:{port}'):
        DataService(f'grpc://127.0.0.1:{port}')
    with pytest.raises(UserError, match='grpc://host:port'):
        DataService(f'127.0.0.1:{port}')


def test_a_service_that_lacks_a_worker_is_refused(service, monkeypatch):
    monkeypatch.setattr(data_service, '_PATIENCE', 5.0)
    with pytest.raises(UserError, match='lacks 1 of its 2 workers'):
        DataService(service(2, missing=1))


def test_a_service_that_goes_silent_is_noticed(service, monkeypatch):
    served = DataService(service(1))
    monkeypatch.setattr(served, '_answers', iter([[0, 1], [0, 1], None]).__next__)
    monkeypatch.setattr(data_service, '_PATIENCE', 0.1)
    said = queue.Queue()
    served.watch(said.put)
    assert 'has been lost' in said.get(timeout=60)


@pytest.mark.slow
def test_a_worker_that_dies_ends_the_run_which_then_goes_on_to_the_same_end(tmp_path):
    processes = Processes(tmp_path / 'data')
    head, port = free_ports(2)
    (status,), (output,) = ended(processes.small(tmp_path / 'alone'))
    assert status == 0, output

    def serve(role, port, *words):
        process = processes.start('data_service', f'--role={role}', f'--port={port}', *words)
        for line in process.stdout:
            if line.startswith('tf.data service'):
                return process
        raise AssertionError(f'status {process.wait()}')

    def worker():
        return serve(
            'worker', port, f'--dispatcher=127.0.0.1:{head}', f'--address=127.0.0.1:{port}'
        )

    try:
        serve('dispatcher', head, f'--workers=127.0.0.1:{port}')
        victim = worker()
        run = processes.small(tmp_path / 'fed', f'--data_service=grpc://127.0.0.1:{head}')
        advances(run)
        victim.kill()
        last = worker()
        (status,), (output,) = ended(run)
        assert status == AGAIN, output
        assert output.splitlines()[-1] == f'{BEGUN_ANEW} Run the same command again to go on.'

        run = processes.small(tmp_path / 'fed', f'--data_service=grpc://127.0.0.1:{head}')
        (status,), (output,) = ended(run)
        assert status == 0, output
        assert_same_end(tmp_path / 'fed', tmp_path / 'alone')

        last.terminate()
        assert ended(last, within=60)[0] == [0]
    finally:
        processes.end()
