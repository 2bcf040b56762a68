"""Stochastic gradient descent in the form in which the published recipes state it."""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.registry import register
from garden.optimizers.schedules import LearningRate


@register('optimizers', 'sgd')
class SGD(keras.optimizers.Optimizer):
    """SGD with momentum whose velocity does not contain the learning rate, as in PyTorch and pycls.

    With gradient g, weight w and weight decay d: g' = g + d w; v = m v + g'; w -= lr v, or with
    Nesterov's form w -= lr (g' + m v). Keras' SGD keeps lr inside v, so the two differ whenever the
    rate changes. The decay is coupled: it is scaled by the rate and enters the velocity.

    Args:
      learning_rate: a number or a schedule.
      momentum: m, in [0, 1).
      nesterov: whether to look ahead.
      weight_decay: d, applied to every variable that `no_decay` does not spare.
      no_decay: kinds of variables that decay spares, of 'norm' and 'bias'.
      clip_norm: bound of the global norm of the gradient, summed over replicas, before decay.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 0.1,
        momentum: float = 0.9,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        no_decay: Sequence[str] = (),
        clip_norm: float | None = None,
    ):
        if not 0 <= momentum < 1:
            raise UserError(f'optimizers.sgd.momentum lies in [0, 1); {momentum} does not.')
        # Its own weight_decay of 0 is not None, and would be computed for each variable.
        super().__init__('sgd', weight_decay=None, global_clipnorm=clip_norm, jit_compile=False)
        self._learning_rate = self._build_learning_rate(learning_rate)
        self.momentum = momentum
        self.nesterov = nesterov
        self.coupled_decay = weight_decay
        self.no_decay = tuple(no_decay)

    def build(self, var_list: Sequence[tf.Variable]) -> None:
        """Creates a velocity for each variable."""
        super().build(var_list)
        if getattr(self, '_built', False):
            return
        self.velocities = [
            self.add_variable_from_reference(v, variable_name='velocity') for v in var_list
        ]
        self._built = True

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Moves one variable; a sparse gradient is made dense, for every row has momentum."""
        rate = tf.cast(self.learning_rate, variable.dtype)
        gradient = tf.convert_to_tensor(gradient)
        if self.coupled_decay and self._use_weight_decay(variable):
            gradient += tf.cast(self.coupled_decay, variable.dtype) * variable
        momentum = tf.cast(self.momentum, variable.dtype)
        velocity = self.velocities[self._index_dict[self._var_key(variable)]]
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=velocity.handle,
            lr=rate,
            grad=gradient,
            momentum=momentum,
            use_nesterov=self.nesterov,
        )

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {
            'learning_rate': self._serialize_hyperparameter(self._learning_rate),
            'momentum': self.momentum,
            'nesterov': self.nesterov,
            'weight_decay': self.coupled_decay,
            'no_decay': self.no_decay,
            'clip_norm': self.global_clipnorm,
        }
