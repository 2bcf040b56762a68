"""Batch normalisation as adversarial networks want it."""

import tf_keras as keras


def synchronized_norm(epsilon: float = 1e-5, momentum: float = 0.9) -> keras.layers.Layer:
    """Returns batch normalisation over all replicas, its scale drawn from N(1, 0.02), as in DCGAN.

    Each replica's own statistics would make the update depend on how many replicas there are. Make
    a network anew instead of cloning it: tf_keras leaves `synchronized` out of a layer's
    configuration, and the copy's statistics would be each replica's own.
    """
    return keras.layers.BatchNormalization(
        momentum=momentum,
        epsilon=epsilon,
        gamma_initializer=keras.initializers.RandomNormal(1.0, 0.02),
        synchronized=True,
    )
