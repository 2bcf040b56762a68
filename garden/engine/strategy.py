"""From the words of the command line to the tf.distribute strategy of the run."""

import json
import os

import tensorflow as tf

from garden.core.errors import UserError, did_you_mean
from garden.engine.network import require_server

NAMES = ('auto', 'one_device', 'mirrored', 'multi_worker', 'tpu')


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
      UserError: if the name is unknown or what it asks for is not there.
    """
    if name not in NAMES:
        raise UserError(
            f'--strategy={name} is not known.{did_you_mean(name, NAMES)} '
            f'Strategies: {", ".join(NAMES)}.'
        )
    if tpu is not None and name not in ('auto', 'tpu'):
        raise UserError(f'--tpu={tpu} and --strategy={name} contradict each other: leave one out.')
    if name == 'tpu' or tpu is not None:
        return _tpu(tpu)
    if name == 'multi_worker' or (name == 'auto' and _workers() > 1):
        return _multi_worker()
    names = _devices(devices)
    if name == 'mirrored' or (name == 'auto' and len(names) > 1):
        return tf.distribute.MirroredStrategy(names)
    return tf.distribute.OneDeviceStrategy(names[0])


def of_several_workers(strategy: tf.distribute.Strategy) -> bool:
    """Whether other processes take the same steps."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def agreed(strategy: tf.distribute.Strategy, flag: bool) -> bool:
    """Returns whether `flag` is set on any worker, the same on all; all must call it together."""
    if not of_several_workers(strategy):
        return flag
    votes = strategy.run(lambda: tf.constant(float(flag)))
    return bool(strategy.reduce(tf.distribute.ReduceOp.SUM, votes, axis=None) > 0)


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
    shown = f'--tpu={name}' if name else '--strategy=tpu'
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(name or '')
        hosts = [] if name == 'local' else _hosts(resolver)
    except Exception as error:  # The resolver raises what the metadata service makes it raise.
        raise UserError(
            f'{shown}: no TPU of that name can be found ({_first_line(error)}). '
            "Give its name, its grpc:// address, or 'local' on a TPU VM."
        ) from error
    for host in hosts:
        require_server(host, shown)
    try:
        if hosts:
            tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except tf.errors.NotFoundError as error:
        raise UserError(
            f'{shown}: this TensorFlow has no TPU support. Install tensorflow-tpu '
            f'{tf.__version__} on the TPU VM.'
        ) from error
    except tf.errors.OpError as error:
        raise UserError(f'{shown}: the TPU does not answer ({_first_line(error)}).') from error
    return tf.distribute.TPUStrategy(resolver)


def _hosts(resolver: tf.distribute.cluster_resolver.ClusterResolver) -> list[str]:
    return [host for hosts in resolver.cluster_spec().as_dict().values() for host in hosts]


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0].rstrip('.')
