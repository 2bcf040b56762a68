"""Each random draw of a step is a function of (seed, step, replica, call): nothing to save."""

import tensorflow as tf
import tf_keras as keras


def enable() -> None:
    """Lets random layers built from now on draw from generators that `Reseeder` can set."""
    keras.backend.experimental.enable_tf_random_generator()


def step_seed(seed: int, step: tf.Tensor, call: int) -> tf.Tensor:
    """Returns the int32[2] seed of this replica's `call`-th replica step of a step.

    Call it on a replica.
    """
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    key = tf.constant([seed % 2**31, call], tf.int32)
    key = tf.random.fold_in(key, tf.cast(step, tf.int32))
    return tf.random.fold_in(key, replica)


class Reseeder:
    """Sets the generators of all random layers (dropout and its kin) under a module.

    tf_keras leaves these generators out of checkpoints; set at the top of each replica step, they
    need not be there.

    Raises:
      RuntimeError: if a layer was built before `enable`, so that its draws cannot be set.
    """

    def __init__(self, module: tf.Module):
        self._sources = [
            layer._random_generator
            for layer in module.submodules
            if isinstance(layer, keras.__internal__.layers.BaseRandomLayer)
        ]
        if any(source._rng_type != source.RNG_STATEFUL for source in self._sources):
            raise RuntimeError(
                'A random layer was made before garden.engine.randomness.enable() was called: '
                'its draws could not be repeated.'
            )

    def __call__(self, seed: tf.Tensor) -> None:
        """Makes the draws that follow on this replica a function of `seed` (int32[2])."""
        key = tf.bitcast(seed, tf.int64)
        for number, source in enumerate(self._sources):
            source._maybe_init()
            # The counter has 128 bits; the layer's number fills the upper half, so that the streams
            # of two layers never meet.
            source._generator.reset_from_key_counter(key, tf.constant([0, number], tf.int64))
