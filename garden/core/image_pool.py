"""A pool of generated images: discriminators learn from some of earlier steps too."""

import tensorflow as tf


class ImagePool(tf.Module):
    """Lends out images made earlier (Shrivastava et al., arXiv:1612.07828, section 2.3).

    The first `size` images are kept and handed back. From then on each image is handed back with
    probability 1/2; otherwise it takes the place of a random one in the pool, and that one is
    handed out (as in CycleGAN, arXiv:1703.10593, section 4). A batch goes through image by image.

    Each replica has a pool of its own. A checkpoint holds them all; a run that goes on with another
    number of replicas gives each of them the first one's.

    Args:
      size: the number of images; with 0 every image is handed back.
      shape: of an image.
    """

    def __init__(self, size: int, shape: tuple[int, ...]):
        super().__init__()
        self._size = size
        if size:  # Replicas cannot gather tensors that hold nothing.
            self.images = _of_replica(tf.zeros([size, *shape]), 'pool')
            self.filled = _of_replica(tf.zeros([], tf.int32), 'pool_filled')

    def exchange(self, images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Returns what the discriminator is to see in the place of `images`; no gradient passes.

        Args:
          images: float32 [batch, *shape].
          seed: int32[2].
        """
        images = tf.stop_gradient(images)
        if not self._size:
            return images
        count = images.shape[0]
        keep, slot = tf.unstack(tf.random.experimental.stateless_split(seed, 2))
        kept = tf.random.stateless_uniform([count], keep) < 0.5
        slots = tf.random.stateless_uniform([count], slot, 0, self._size, tf.int32)

        def one(i: int, pool: tf.Tensor, filled: tf.Tensor, out: tf.Tensor) -> tuple:
            filling = filled < self._size
            place = tf.where(filling, filled, slots[i])[None, None]
            lent = tf.where(filling | kept[i], images[i], tf.gather_nd(pool, place)[0])
            stored = tf.where(kept[i] & ~filling, tf.gather_nd(pool, place)[0], images[i])
            pool = tf.tensor_scatter_nd_update(pool, place, stored[None])
            out = tf.tensor_scatter_nd_update(out, [[i]], lent[None])
            return i + 1, pool, filled + tf.cast(filling, tf.int32), out

        start = (0, self.images.read_value(), self.filled.read_value(), tf.zeros_like(images))
        _, pool, filled, out = tf.while_loop(lambda i, *_: i < count, one, start)
        self.images.assign(pool)
        self.filled.assign(filled)
        return out


def _of_replica(value: tf.Tensor, name: str) -> tf.Variable:
    return tf.Variable(
        value,
        trainable=False,
        name=name,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )
