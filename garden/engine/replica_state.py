"""Variables of which each replica has a value of its own: batch statistics, buffers of samples.

A checkpoint holds one value of each variable: of batch statistics the mean. A run that goes on from
the mean is not the run that was interrupted, by a rounding. So the values of all replicas are saved
beside it; a run on another number of replicas goes on from the one value.
"""

from collections.abc import Sequence

import tensorflow as tf

from garden.core.average import Untracked


class ReplicaState(tf.Module):
    """All replicas' values of some variables, to be saved with them.

    Args:
      variables: those to look after; of them, the ones count that replicas keep each for itself.
      strategy: the strategy they were made under.
    """

    def __init__(self, variables: Sequence[tf.Variable], strategy: tf.distribute.Strategy):
        super().__init__()
        self._strategy = strategy
        self._own = Untracked(
            variable
            for variable in variables
            if strategy.num_replicas_in_sync > 1
            and variable.synchronization == tf.VariableSynchronization.ON_READ
        )
        replicas = strategy.num_replicas_in_sync
        with strategy.scope():
            self.values = [
                tf.Variable(
                    tf.zeros([replicas, *variable.shape], variable.dtype),
                    trainable=False,
                    name='of_replicas',
                )
                for variable in self._own.items
            ]

    @property
    def name_in_checkpoint(self) -> str:
        """Tells the values of so many replicas from those of others."""
        return f'values_of_{self._strategy.num_replicas_in_sync}_replicas'

    def collect(self) -> None:
        """Takes the values from the replicas."""
        if self.values:
            self._collect()

    def hand_out(self) -> None:
        """Gives the replicas their values back."""
        if self.values:
            self._hand_out()

    @tf.function(autograph=False)
    def _collect(self) -> None:
        def mine() -> list[tf.Tensor]:
            return [tf.expand_dims(v.read_value(), 0) for v in self._own.items]

        local = self._strategy.run(mine)
        with self._strategy.scope():
            for stacked, values in zip(self.values, local, strict=True):
                stacked.assign(self._strategy.gather(values, axis=0))

    @tf.function(autograph=False)
    def _hand_out(self) -> None:
        def mine() -> None:
            number = tf.distribute.get_replica_context().replica_id_in_sync_group
            for variable, stacked in zip(self._own.items, self.values, strict=True):
                variable.assign(stacked[number])

        self._strategy.run(mine)
