"""What an input pipeline must know of the run that it feeds, and the order in which it reads.

The order of the examples, and with it every augmentation, is a function of (seed, position):
position p counts the examples that the whole run has seen before, over all epochs and all hosts. A
pipeline started at step s therefore yields what an uninterrupted one would yield from there on,
whatever the number of hosts and replicas, and no checkpoint has to hold a shuffle buffer.
"""

import dataclasses

import tensorflow as tf

from garden.core.bad_examples import Readers
from garden.core.errors import UserError

_MULTIPLIER = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio: its multiples are spread evenly.
_CHUNK = 128  # Positions that are made at a time, at least.


@dataclasses.dataclass(frozen=True)
class Feed:
    """One input pipeline's place in the run.

    Attributes:
      seed: seed of the data order and of the augmentations.
      step: the training step that the first batch is for.
      replicas: replicas in the whole run; each gets one batch a step.
      pipelines: input pipelines in the whole run, one for each host.
      pipeline: which of them this is.
      stride: the steps from one of this pipeline to its next; more than 1 where others make those
        in between.
      readers: where what reads a source enters itself, to learn what it is to leave out; None where
        a bad example is to be an error and no more.
      excluded: the examples of a source that are not to be read, in rising order.
    """

    seed: int = 0
    step: int = 0
    replicas: int = 1
    pipelines: int = 1
    pipeline: int = 0
    stride: int = 1
    readers: Readers | None = None
    excluded: tuple[int, ...] = ()

    @classmethod
    def of(
        cls,
        context: tf.distribute.InputContext,
        seed: int,
        step: int = 0,
        readers: Readers | None = None,
    ) -> 'Feed':
        """Makes the feed for the input pipeline that tf.distribute describes."""
        return cls(
            seed=seed,
            step=step,
            replicas=context.num_replicas_in_sync,
            pipelines=context.num_input_pipelines,
            pipeline=context.input_pipeline_id,
            readers=readers,
        )

    def per_replica(self, batch_size: int) -> int:
        """Returns the share of one replica in a global batch.

        Raises:
          UserError: if the batch cannot be shared out evenly.
        """
        if batch_size % self.replicas:
            raise UserError(
                f'A global batch of {batch_size} cannot be shared by {self.replicas} replicas: '
                f'make the batch_size of the data loader a multiple of {self.replicas}.'
            )
        return batch_size // self.replicas

    def share(self, batch_size: int) -> int:
        """Returns the share of this pipeline in a global batch.

        Raises:
          UserError: if the batch cannot be shared out evenly.
        """
        return self.per_replica(batch_size) * (self.replicas // self.pipelines)

    def positions(self, batch_size: int) -> tf.data.Dataset:
        """Yields, without end, the positions (int64 scalars) that this pipeline reads in training.

        Step t of a run with global batch G reads positions t*G to (t+1)*G - 1; of these, pipeline k
        of P reads the k-th contiguous P-th. With a stride, only every stride-th step is read.
        """
        endless = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
        return self.position_chunks(batch_size).unbatch().apply(endless)

    def position_chunks(self, batch_size: int) -> tf.data.Dataset:
        """Yields `positions` as vectors of some steps each: one call serves them all."""
        share = self.share(batch_size)
        start = self.pipeline * share
        steps = -(-_CHUNK // share)

        def of_steps(step: tf.Tensor) -> tf.Tensor:
            first = (step + self.stride * tf.range(steps, dtype=tf.int64)) * batch_size + start
            return tf.reshape(first[:, None] + tf.range(share, dtype=tf.int64), [-1])

        return tf.data.Dataset.range(self.step, tf.int64.max, steps * self.stride).map(of_steps)

    def evaluation_positions(self, size: int, batch_size: int) -> tf.data.Dataset:
        """Yields the positions of this pipeline's part of one pass over `size` examples, padded.

        The pass is padded to whole global batches, so that shapes are static and all pipelines
        yield equally many: a position of `size` or more is padding and must not be counted.
        """
        share = self.share(batch_size)
        start = self.pipeline * share
        steps = -(-size // batch_size)

        def of_step(step: tf.Tensor) -> tf.data.Dataset:
            first = step * batch_size + start
            return tf.data.Dataset.range(first, first + share)

        count = tf.data.experimental.assert_cardinality(steps * share)
        return tf.data.Dataset.range(steps).flat_map(of_step).apply(count)

    def numbers(self, size: int, batch_size: int) -> tf.data.Dataset:
        """Yields the share of one replica in each batch of the numbers 0 to `size` - 1.

        It is the evaluation data of what needs none: 'number', int64 [share], and 'mask', False
        where a number only pads the last batch.
        """
        numbers = self.evaluation_positions(size, batch_size).batch(self.per_replica(batch_size))
        return numbers.map(lambda number: {'number': number, 'mask': number < size})


def shuffled(position: tf.Tensor, size: int, seed: int) -> tf.Tensor:
    """Returns which of `size` examples stands at `position` of an endless shuffled stream.

    Each epoch is a permutation of its own; none is stored.

    Args:
      position: int64, a scalar or a vector of any positions.
      size: the number of examples.
      seed: another seed, other permutations.
    """
    epoch = position // size
    same = tf.ones_like(position)
    # Of each of its three seeds the op looks at a few of the lower bits, at 8 if size is small.
    upper = (seed >> 8) * _MULTIPLIER % (1 << 64) >> 48
    # The raw op, for the public one does not take a vector of positions of several epochs.
    return tf.raw_ops.RandomIndexShuffle(
        index=position % size,
        seed=tf.stack([same * seed, epoch, upper + epoch // 256], axis=-1),
        max_index=same * (size - 1),
        # With TensorFlow's 4, seed 0 leaves half of 100 examples where they were (measured).
        rounds=8,
    )


def example_seed(position: tf.Tensor, seed: int) -> tf.Tensor:
    """Returns the int64[2] seed of the augmentation of the example at `position`."""
    return tf.stack([tf.constant(seed, tf.int64), position])
