"""LAMB in the form in which ResNet Strikes Back uses it."""

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras

from garden.core.registry import register
from garden.optimizers.schedules import LearningRate


@register('optimizers', 'lamb')
class LAMB(keras.optimizers.Optimizer):
    """LAMB (arXiv:1904.00962): Adam's step plus decay, scaled to the norm of each variable.

    With u = Adam's direction, bias corrected, and weight decay d: u' = u + d w, and
    w -= lr |w| / |u'| u'. As in timm, a variable that decay spares is not scaled either, and the
    gradient is clipped first.

    Args:
      learning_rate: a number or a schedule.
      weight_decay: d.
      beta_1: decay of the mean of gradients.
      beta_2: decay of the mean of squared gradients.
      epsilon: added to the root of the latter.
      no_decay: kinds of variables that are spared, of 'norm' and 'bias'.
      clip_norm: bound of the global norm of the gradient, summed over replicas; None for none.
    """

    def __init__(
        self,
        learning_rate: LearningRate = 5e-3,
        weight_decay: float = 0.02,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-6,
        no_decay: Sequence[str] = ('norm', 'bias'),
        clip_norm: float | None = 1.0,
    ):
        # Its own weight_decay of 0 is not None, and would be computed for each variable.
        super().__init__('lamb', weight_decay=None, global_clipnorm=clip_norm, jit_compile=False)
        self._learning_rate = self._build_learning_rate(learning_rate)
        self.coupled_decay = weight_decay
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.no_decay = tuple(no_decay)

    def build(self, var_list: Sequence[tf.Variable]) -> None:
        """Creates the two means for each variable."""
        super().build(var_list)
        if getattr(self, '_built', False):
            return
        self.means = [self.add_variable_from_reference(v, variable_name='m') for v in var_list]
        self.squares = [self.add_variable_from_reference(v, variable_name='v') for v in var_list]
        self._built = True

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable) -> None:
        """Moves one variable; a sparse gradient is made dense, for every row has a mean."""
        dtype = variable.dtype
        gradient = tf.convert_to_tensor(gradient)
        index = self._index_dict[self._var_key(variable)]
        mean, square = self.means[index], self.squares[index]
        mean.assign_add((gradient - mean) * tf.cast(1 - self.beta_1, dtype))
        square.assign_add((tf.square(gradient) - square) * tf.cast(1 - self.beta_2, dtype))
        taken = tf.cast(self.iterations + 1, dtype)
        first = 1 - tf.pow(tf.cast(self.beta_1, dtype), taken)
        second = 1 - tf.pow(tf.cast(self.beta_2, dtype), taken)
        update = (mean / first) / (tf.sqrt(square / second) + tf.cast(self.epsilon, dtype))
        if self.coupled_decay and self._use_weight_decay(variable):
            update += tf.cast(self.coupled_decay, dtype) * variable
            lengths = tf.norm(variable), tf.norm(update)
            scales = (lengths[0] > 0) & (lengths[1] > 0)
            update *= tf.where(scales, tf.math.divide_no_nan(*lengths), 1)
        variable.assign_sub(tf.cast(self.learning_rate, dtype) * update)

    def get_config(self) -> dict:
        """Returns the constructor's arguments."""
        return {
            'learning_rate': self._serialize_hyperparameter(self._learning_rate),
            'weight_decay': self.coupled_decay,
            'beta_1': self.beta_1,
            'beta_2': self.beta_2,
            'epsilon': self.epsilon,
            'no_decay': self.no_decay,
            'clip_norm': self.global_clipnorm,
        }
