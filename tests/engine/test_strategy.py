"""From the words of the command line to a strategy, or to one line that says why not."""

import concurrent.futures
import json
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.engine.network import require_server
from garden.engine.strategy import agreed, make_strategy

ROOT = Path(__file__).resolve().parents[2]


def test_one_device_is_the_default_of_one_device(one_device):
    strategy = make_strategy('auto', devices=1)
    assert strategy.num_replicas_in_sync == 1
    assert agreed(strategy, True) is True
    assert agreed(strategy, False) is False


def test_no_device_at_all_is_refused():
    with pytest.raises(UserError, match='at least one device'):
        make_strategy('auto', devices=0)


def test_workers_need_their_addresses(monkeypatch):
    monkeypatch.delenv('TF_CONFIG', raising=False)
    with pytest.raises(UserError, match='needs TF_CONFIG'):
        make_strategy('multi_worker')
    monkeypatch.setenv('TF_CONFIG', '{"cluster": ')
    with pytest.raises(UserError, match='not valid JSON'):
        make_strategy('auto')


def test_one_worker_of_tf_config_is_no_cluster(monkeypatch):
    monkeypatch.setenv('TF_CONFIG', json.dumps({'cluster': {'worker': ['127.0.0.1:1']}}))
    assert make_strategy('auto', devices=1).num_replicas_in_sync == 1


@pytest.fixture
def silent():
    """An address where connections are taken and nothing is said."""
    with socket.socket() as held:
        held.bind(('127.0.0.1', 0))
        held.listen()
        yield f'127.0.0.1:{held.getsockname()[1]}'


@pytest.fixture
def closed():
    """An address that is taken, so that nobody else listens there, and refuses connections."""
    with socket.socket() as held:
        held.bind(('127.0.0.1', 0))
        yield f'127.0.0.1:{held.getsockname()[1]}'


@pytest.fixture
def stranger():
    """The address of a gRPC server that is none of TensorFlow's."""
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    yield f'127.0.0.1:{port}'
    server.stop(None)


def refusal(call, *arguments, **keywords):
    with pytest.raises(UserError) as caught:
        call(*arguments, **keywords)
    assert '\n' not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ('where', 'what'),
    [
        ('closed', 'connection refused'),
        ('silent', 'it takes connections, but no gRPC server speaks'),
    ],
)
def test_a_tpu_that_does_not_answer_is_named_in_bounded_time(where, what, request):
    address = request.getfixturevalue(where)
    said = refusal(require_server, address, '--tpu=x', seconds=1)
    assert f'nothing answers at {address} within 1 seconds ({what})' in said


def test_a_host_that_does_not_exist_is_named_at_once(monkeypatch):
    def unknown(*place):
        raise socket.gaierror(-2, 'Name or service not known')

    monkeypatch.setattr(socket, 'getaddrinfo', unknown)
    said = refusal(make_strategy, tpu='grpc://tpu-1:8470')
    assert said.startswith('--tpu=grpc://tpu-1:8470: tpu-1 is no host that this machine knows')


def test_an_address_without_a_host_is_refused():
    assert 'that address has no host' in refusal(make_strategy, tpu='grpc://')


@pytest.mark.parametrize('address', ['10.0.0.2', '10.0.0.2:8470', 'tpu-1:8470'])
def test_a_name_is_looked_up_in_the_cloud_alone(address, closed, monkeypatch):
    monkeypatch.setenv('GCE_METADATA_HOST', closed)
    said = refusal(make_strategy, tpu='my-tpu')
    assert said.startswith('--tpu=my-tpu: the names of TPUs are known inside Google Cloud only')
    assert '--tpu=local' in said
    said = refusal(make_strategy, tpu=address)
    assert f'Is it an address? Then write --tpu=grpc://{address}.' in said


def test_a_tpu_without_a_name_is_asked_for(monkeypatch):
    for variable in ('TPU_NAME', 'TPU_CONFIG', 'KUBE_GOOGLE_CLOUD_TPU_ENDPOINTS'):
        monkeypatch.delenv(variable, raising=False)
    said = refusal(make_strategy, 'tpu')
    assert said.startswith('--strategy=tpu: no TPU of that name can be found')


def test_flags_that_contradict_each_other_are_refused():
    assert '--tpu=x and --strategy=mirrored' in refusal(make_strategy, 'mirrored', tpu='x')
    assert '--devices=2 is about this machine' in refusal(make_strategy, tpu='x', devices=2)
    assert '--strategy=tpu' in refusal(make_strategy, 'tpu', devices=2)


def connected(address):
    """Returns what a process says that takes a server for a TPU; connecting is for its lifetime."""
    program = f"""
from garden.core.errors import UserError
from garden.engine.strategy import make_strategy
try:
    make_strategy(tpu='grpc://{address}')
except UserError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, '-c', program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )
    return done.stdout


@pytest.mark.slow
def test_a_server_that_is_no_tensorflow_is_told_from_a_tpu(stranger):
    assert f'--tpu=grpc://{stranger}: the TPU does not answer' in connected(stranger)


@pytest.mark.slow
def test_a_tensorflow_without_a_tpu_is_told_from_one():
    program = """
import tensorflow as tf
server = tf.distribute.Server.create_local_server()
print(server.target.removeprefix('grpc://'), flush=True)
server.join()
"""
    command = [sys.executable, '-c', program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            address = server.stdout.readline().decode().strip().replace('localhost', '127.0.0.1')
            said = connected(address)
        finally:
            server.kill()
    assert f'the TensorFlow server at {address} has no TPU support' in said


def test_a_tpu_build_is_asked_for():
    if tf.config.list_logical_devices('TPU'):
        pytest.skip('there is a TPU')
    with pytest.raises(UserError, match='no TPU support'):
        make_strategy('auto', tpu='local')


def test_parameter_servers_are_refused_with_a_way_out():
    with pytest.raises(UserError, match='Take --strategy=multi_worker'):
        make_strategy('parameter_server')
