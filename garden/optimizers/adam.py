"""Adam and its relative with decoupled weight decay, under Garden's argument names."""

from collections.abc import Sequence

import tf_keras as keras

from garden.core.registry import register
from garden.optimizers.schedules import LearningRate


@register('optimizers', 'adam')
def adam(
    learning_rate: LearningRate = 1e-3,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    clip_norm: float | None = None,
) -> keras.optimizers.Optimizer:
    """Adam (arXiv:1412.6980).

    Args:
      learning_rate: a number or a schedule.
      beta_1: decay of the mean of gradients.
      beta_2: decay of the mean of squared gradients.
      epsilon: added to the root of the latter.
      clip_norm: bound of the global norm of the gradient, summed over replicas.
    """
    return keras.optimizers.Adam(
        learning_rate=learning_rate,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=clip_norm,
        jit_compile=False,
    )


@register('optimizers', 'adamw')
def adamw(
    learning_rate: LearningRate = 1e-3,
    weight_decay: float = 1e-2,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
    no_decay: Sequence[str] = ('norm', 'bias'),
    clip_norm: float | None = None,
) -> keras.optimizers.Optimizer:
    """AdamW (arXiv:1711.05101): each step also shrinks a weight by learning rate times decay.

    Args:
      learning_rate: a number or a schedule; it scales the decay too.
      weight_decay: the decay rate.
      beta_1: decay of the mean of gradients.
      beta_2: decay of the mean of squared gradients.
      epsilon: added to the root of the latter.
      no_decay: kinds of variables that decay spares, of 'norm' and 'bias'.
      clip_norm: bound of the global norm of the gradient, summed over replicas.
    """
    optimizer = keras.optimizers.AdamW(
        learning_rate=learning_rate,
        weight_decay=weight_decay,
        beta_1=beta_1,
        beta_2=beta_2,
        epsilon=epsilon,
        global_clipnorm=clip_norm,
        jit_compile=False,
    )
    optimizer.no_decay = tuple(no_decay)
    return optimizer
