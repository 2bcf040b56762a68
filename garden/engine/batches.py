"""What a trainer asks of batches that are spread over replicas."""

from typing import Any

import tensorflow as tf

from garden.core.errors import UserError
from garden.core.task import Batch

REPEAT = 'Training data goes on without end: add .repeat() in the task or its data loader.'


def endless(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns the data.

    Raises:
      UserError: if they are known to end.
    """
    cardinality = int(dataset.cardinality())
    if cardinality >= 0:
        raise UserError(f'The training data ends after {cardinality} batches. {REPEAT}')
    return dataset


def global_size(batch: Batch, strategy: tf.distribute.Strategy) -> int:
    """Returns the number of examples of a batch over all replicas."""
    first = tf.nest.flatten(strategy.experimental_local_results(batch)[0])[0]
    size = first.shape[0] if first.shape.rank else 1
    return (size or 0) * strategy.num_replicas_in_sync


def arrival(batch: Batch, strategy: tf.distribute.Strategy) -> list[tf.Operation]:
    """Returns what has run when every local replica's part of a batch is there.

    A step that depends on it leaves no trace if one of the parts cannot be read. Where steps run
    eagerly it is nothing: there the batch is complete before the step begins.
    """
    if tf.executing_eagerly():
        return []
    parts = strategy.experimental_local_results(batch)
    return [tf.group(*tf.nest.flatten(parts, expand_composites=True))]


def gathered(outputs: Any, strategy: tf.distribute.Strategy) -> Any:
    """Brings the outputs of all replicas, other workers' included, to this host, in order."""

    def gather(value: Any) -> tf.Tensor:
        local = strategy.experimental_local_results(value)
        if len(local) == strategy.num_replicas_in_sync:
            return tf.concat(local, axis=0)
        if local[0].dtype == tf.bool:  # Collectives carry numbers only.
            return tf.cast(strategy.gather(tf.cast(value, tf.int32), axis=0), tf.bool)
        return strategy.gather(value, axis=0)

    return tf.nest.map_structure(gather, outputs)
