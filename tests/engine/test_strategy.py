"""From the words of the command line to a strategy, or to one line that says why not."""

import json
import socket

import pytest
import tensorflow as tf

from garden.core.errors import UserError
from garden.engine.network import require_server
from garden.engine.strategy import agreed, make_strategy


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


def test_a_tpu_that_does_not_answer_is_named_in_bounded_time():
    with socket.socket() as held:  # Bound, but nobody listens.
        held.bind(('127.0.0.1', 0))
        address = f'127.0.0.1:{held.getsockname()[1]}'
        with pytest.raises(UserError, match=f'nothing answers at {address} within 1 seconds'):
            require_server(address, '--tpu=x', seconds=1)


def test_a_tpu_build_is_asked_for():
    if tf.config.list_logical_devices('TPU'):
        pytest.skip('there is a TPU')
    with pytest.raises(UserError, match='no TPU support'):
        make_strategy('auto', tpu='local')
