"""From the words of the command line to the tf.distribute strategy of the run."""

import json
import os
import re
import urllib.error

import tensorflow as tf

from garden.core.errors import UserError, did_you_mean
from garden.engine.network import require_server

NAMES = ('auto', 'one_device', 'mirrored', 'multi_worker', 'tpu', 'parameter_server')


def make_strategy(
    name: str = 'auto', tpu: str | None = None, devices: int | None = None
) -> tf.distribute.Strategy:
    """Builds the strategy; call it before any other TensorFlow op of the process.

    Args:
      name: one of `NAMES`; 'auto' takes TPUs where `tpu` is given, several workers where TF_CONFIG
        names them, all devices of this machine where it has several, and one device otherwise.
      tpu: the TPU's name, a 'grpc://' address, or 'local' on a TPU VM.
      devices: how many devices of this machine to use, all if None; without accelerators, that many
        devices are made of the CPU.

    Raises:
      UserError: if the name is unknown, what it asks for is not there, or it is that of parameter
        servers, which no synchronous loop can use.
    """
    if name not in NAMES:
        raise UserError(
            f'--strategy={name} is not known.{did_you_mean(name, NAMES)} '
            f'Strategies: {", ".join(NAMES)}.'
        )
    if name == 'parameter_server':
        raise UserError(
            '--strategy=parameter_server: its workers change the weights without waiting for each '
            'other, which can be neither repeated nor resumed exactly, and they take no steps of '
            'a loop like this one. Take --strategy=multi_worker.'
        )
    if asks_for_tpu(name, tpu, devices):
        return _tpu(tpu)
    if name == 'multi_worker' or (name == 'auto' and _workers() > 1):
        return _multi_worker()
    names = _devices(devices)
    if name == 'mirrored' or (name == 'auto' and len(names) > 1):
        return tf.distribute.MirroredStrategy(names)
    return tf.distribute.OneDeviceStrategy(names[0])


def asks_for_tpu(name: str, tpu: str | None, devices: int | None = None) -> bool:
    """Whether these arguments of `make_strategy` are for a TPU.

    Raises:
      UserError: if they contradict each other.
    """
    if tpu is None and name != 'tpu':
        return False
    shown = _shown(tpu)
    if name not in ('auto', 'tpu'):
        raise UserError(f'{shown} and --strategy={name} contradict each other: leave one out.')
    if devices is not None:
        raise UserError(f'--devices={devices} is about this machine; with {shown} leave it out.')
    return True


def of_several_workers(strategy: tf.distribute.Strategy) -> bool:
    """Whether other processes take the same steps."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def worker_number(strategy: tf.distribute.Strategy) -> int:
    """Returns which of several workers this process is, 0 where there is one."""
    return strategy.cluster_resolver.task_id if of_several_workers(strategy) else 0


def agreed(strategy: tf.distribute.Strategy, flag: bool) -> bool:
    """Returns whether `flag` is set on any worker, the same on all; all must call it together."""
    return any(of_all(strategy, flag))


def of_all(strategy: tf.distribute.Strategy, number: int) -> list[int]:
    """Returns the numbers of all replicas' workers, in order; all must call it together."""
    if not of_several_workers(strategy):
        return [number]
    numbers = strategy.run(lambda: tf.constant([number], tf.int64))
    return strategy.gather(numbers, axis=0).numpy().tolist()


def _devices(count: int | None) -> list[str]:
    if count is not None and count < 1:
        raise UserError(f'--devices={count}: at least one device is needed.')
    accelerators = tf.config.list_physical_devices('GPU')
    if not accelerators and count is not None:
        _split_cpu(count)
    logical = tf.config.list_logical_devices('GPU' if accelerators else 'CPU')
    if count is not None and not 0 < count <= len(logical):
        raise UserError(f'--devices={count}: this machine has {len(logical)} of them.')
    return [f'/{d.device_type}:{i}' for i, d in enumerate(logical)][:count]


def _split_cpu(count: int) -> None:
    cpu = tf.config.list_physical_devices('CPU')[0]
    try:
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * count
        )
    except RuntimeError as error:
        if len(tf.config.list_logical_devices('CPU')) < count:
            raise UserError(
                f'--devices={count}: the devices of this process are already fixed; '
                'ask for them before TensorFlow runs its first op.'
            ) from error


def _workers() -> int:
    try:
        cluster = json.loads(os.environ.get('TF_CONFIG') or '{}').get('cluster', {})
    except json.JSONDecodeError as error:
        raise UserError(f'TF_CONFIG is not valid JSON: {error}.') from error
    return len(cluster.get('worker', ())) + len(cluster.get('chief', ()))


def _multi_worker() -> tf.distribute.Strategy:
    if not _workers():
        raise UserError(
            '--strategy=multi_worker needs TF_CONFIG to name the workers, and which of them this '
            'is; it does not.'
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise UserError(
            f'The workers of TF_CONFIG cannot be joined: {_first_line(error)}'
        ) from error


def _tpu(name: str | None) -> tf.distribute.Strategy:
    """Resolves, connects to and initialises a TPU; each step's failure has its own sentence."""
    shown = _shown(name)
    resolver, hosts = _resolved(name, shown)
    for host in hosts:
        require_server(host, shown)
    try:
        if hosts:
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except tf.errors.NotFoundError as error:
        where = f'the TensorFlow server at {hosts[0]}' if hosts else 'this TensorFlow'
        raise UserError(
            f'{shown}: {where} has no TPU support. Install tensorflow-tpu {tf.__version__} on the '
            'TPU VM.'
        ) from error
    except tf.errors.OpError as error:
        raise UserError(f'{shown}: the TPU does not answer ({_first_line(error)}).') from error
    return tf.distribute.TPUStrategy(resolver)


def _shown(tpu: str | None) -> str:
    return '--strategy=tpu' if tpu is None else f'--tpu={tpu}'


def _resolved(
    name: str | None, shown: str
) -> tuple[tf.distribute.cluster_resolver.TPUClusterResolver, list[str]]:
    """Finds a TPU and the addresses of its hosts; of one that is local, none."""
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(name or '')
        cluster = {} if name == 'local' else resolver.cluster_spec().as_dict()
    except urllib.error.URLError as error:
        raise UserError(
            f'{shown}: the names of TPUs are known inside Google Cloud only, and its metadata '
            f'server does not answer here ({_first_line(error)}).{_address_meant(name)}'
        ) from error
    except Exception as error:  # The client raises whatever its libraries do.
        raise UserError(
            f'{shown}: no TPU of that name can be found ({_first_line(error)}). '
            "Give its name, its grpc:// address, or 'local' on a TPU VM."
        ) from error
    hosts = [host for hosts in cluster.values() for host in hosts]
    if any(host.startswith(':') for host in hosts):
        raise UserError(f'{shown}: that address has no host; write grpc://HOST:8470.')
    return resolver, hosts


def _address_meant(name: str | None) -> str:
    """Returns what to write for something that is an address rather than a name."""
    if name and re.fullmatch(r'[\w.-]+(:\d+|(\.\d+){3})', name):
        return f' Is it an address? Then write --tpu=grpc://{name}.'
    return ' On the TPU VM itself, write --tpu=local.'


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip('.')
