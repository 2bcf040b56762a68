"""Training data made on other machines, by tf.data service, in the order of a run without it.

A service is a dispatcher and a fixed list of workers. Of W workers, the k-th makes the batches of
every W-th step, from the k-th on; the run takes them from the workers in turn. So the batches and
their order are those that the run would make by itself, whatever W is, and a resumed run asks for
the steps that it lacks. TensorFlow's own ways to share data out among workers keep no order.

Each batch carries its number in the run: a worker that was started anew begins anew, which must not
pass for the batches that the run waits for.
"""

import contextlib
import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Sequence

import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.engine import callbacks
from garden.engine.network import require_server

BEGUN_ANEW = 'A part of the data service has begun anew.'
_PATIENCE = 60.0
_HINT = tf.data.experimental.SHARD_HINT


def dispatcher(
    port: int, workers: Sequence[str], work_dir: str | None = None
) -> tf.data.experimental.service.DispatchServer:
    """Starts the dispatcher of a service.

    Args:
      port: the port that it listens on.
      workers: the address 'host:port' of every worker.
      work_dir: where it keeps its state, to be restarted while runs go on.
    """
    return tf.data.experimental.service.DispatchServer(
        tf.data.experimental.service.DispatcherConfig(
            port=port,
            worker_addresses=list(workers),
            work_dir=work_dir,
            fault_tolerant_mode=work_dir is not None,
        )
    )


def worker(
    port: int, dispatcher_address: str, address: str
) -> tf.data.experimental.service.WorkerServer:
    """Starts a worker of a service.

    Args:
      port: the port that it listens on.
      dispatcher_address: 'host:port' of the dispatcher.
      address: 'host:port' under which runs reach this worker; the dispatcher's list has it.

    Raises:
      UserError: if the dispatcher does not answer.
    """
    require_server(dispatcher_address, '--dispatcher', _PATIENCE)
    return tf.data.experimental.service.WorkerServer(
        tf.data.experimental.service.WorkerConfig(
            dispatcher_address=dispatcher_address, worker_address=address, port=port
        )
    )


class DataService:
    """A service as a run sees it.

    Args:
      address: 'grpc://host:port' of the dispatcher.

    Raises:
      UserError: if the service does not answer or lacks workers.
    """

    def __init__(self, address: str):
        scheme, _, host_and_port = address.rpartition('://')
        if scheme != 'grpc':
            raise UserError(f"--data_service={address}: write 'grpc://host:port'.")
        require_server(host_and_port, f'--data_service={address}', _PATIENCE)
        self._address = address
        self._workers = self._when_complete()

    def batches(self, make: Callable[[Feed], tf.data.Dataset], feed: Feed) -> tf.data.Dataset:
        """Returns the batches of a pipeline, made by the workers.

        Args:
          make: makes the pipeline of a feed: endless batches, one for each replica and step.
          feed: this host's place in the run.

        Raises:
          UserError: if the pipeline calls back to Python, which the workers cannot.
        """
        each_step = feed.replicas // feed.pipelines

        def turns(first: int, stride: int) -> tf.data.Dataset:
            """The numbers of the batches of every stride-th step."""
            return tf.data.Dataset.range(first, tf.int64.max, stride).flat_map(
                lambda step: tf.data.Dataset.range(step * each_step, (step + 1) * each_step)
            )

        _require_no_python(make(feed))
        parts = []
        for index in range(self._workers):
            here = dataclasses.replace(feed, step=feed.step + index, stride=self._workers)
            numbered = tf.data.Dataset.zip(turns(index, self._workers), make(here))
            parts.append(self._made_by(index, numbered))
        numbers = turns(0, 1)
        in_turn = numbers.map(lambda number: number // each_step % self._workers)
        batches = tf.data.Dataset.choose_from_datasets(parts, in_turn)
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        checked = tf.data.Dataset.zip(numbers, batches).map(_checked).apply(endless)
        return checked.prefetch(tf.data.AUTOTUNE)

    def watch(self, lost: Callable[[str], None]) -> None:
        """Calls `lost` with a sentence, from another thread, when the service answers no more.

        The run itself would wait for its next batch without end.
        """

        def look() -> None:
            while self._answers() is not None:
                time.sleep(_PATIENCE / 6)
            lost(f'The data service {self._address} or a worker of it has been lost.')

        threading.Thread(target=look, daemon=True).start()

    def _made_by(self, index: int, batches: tf.data.Dataset) -> tf.data.Dataset:
        """Returns a pipeline that the worker of that index runs, and no other."""
        own = tf.data.Dataset.range(tf.int64.max).shard(_HINT, _HINT).take(1)
        here = own.filter(lambda worker: worker == index).flat_map(lambda _: batches)
        # The options of a pipeline inside another one do not count.
        return here.with_options(batches.options()).apply(self._distributed())

    def _distributed(self) -> Callable[[tf.data.Dataset], tf.data.Dataset]:
        return tf.data.experimental.service.distribute(
            tf.data.experimental.service.ShardingPolicy.HINT, self._address
        )

    def _when_complete(self) -> int:
        """Returns how many workers the dispatcher lists, when all of them are there."""
        deadline = time.monotonic() + _PATIENCE
        while True:
            numbers = self._answers()
            if numbers is None:
                raise UserError(
                    f'--data_service={self._address}: a worker does not answer within '
                    f'{_PATIENCE:.0f} seconds. Start those that have ended again.'
                )
            here = len(numbers) // 2
            listed = numbers[here] - numbers[0] if here else 0
            if here and here == listed:
                return listed
            if time.monotonic() > deadline:
                lacks = f'{listed - here} of its {listed} workers' if here else 'all its workers'
                raise UserError(
                    f'--data_service={self._address} lacks {lacks}: start those that its '
                    'dispatcher lists.'
                )
            time.sleep(1.0)

    def _answers(self) -> list[int] | None:
        """Returns k and k + W from the k-th of W workers, None if one has gone silent."""
        answers: queue.Queue[list[int]] = queue.Queue()

        def ask() -> None:
            numbers = tf.data.Dataset.range(tf.int64.max).shard(_HINT, _HINT).take(2)
            with contextlib.suppress(tf.errors.OpError):
                answers.put(sorted(int(number) for number in numbers.apply(self._distributed())))

        threading.Thread(target=ask, daemon=True).start()
        try:
            return answers.get(timeout=_PATIENCE)
        except queue.Empty:
            return None


def _require_no_python(batches: tf.data.Dataset) -> None:
    if found := callbacks.in_pipeline(batches):
        ops = ', '.join(sorted({op for op, _ in found}))
        raise UserError(
            f'--data_service: the training data of this experiment call back to Python ({ops}), '
            'which the workers of a service do not have: leave it out.'
        )


def _checked(expected: tf.Tensor, element: tuple) -> object:
    number, batch = element
    with tf.control_dependencies([tf.debugging.assert_equal(number, expected, BEGUN_ANEW)]):
        return tf.nest.map_structure(tf.identity, batch)
