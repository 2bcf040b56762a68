"""What a field is fitted to: its values, its derivatives, or the equation of a signed distance.

A loss is called with a field (coordinates [n, d] to values [n, c]), a batch and the seed of the
step, and returns its terms, scalars by the names in `terms`, whose sum is to be minimised. `needs`
names what the batch must hold; `open_constant` says whether adding a constant to the field is left
open.
"""

from collections.abc import Mapping, Sequence

import tensorflow as tf

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register
from garden.ops import derivatives
from garden.ops.derivatives import Field

Batch = Mapping[str, tf.Tensor]
Terms = Mapping[str, tf.Tensor]

_PRIORS = ('total_variation', 'hessian')


@register('losses', 'match_values')
class MatchValues:
    """The mean squared error of the values, where they are known.

    The batch holds 'coordinates' [n, d], 'value' [n, c] and, where only some values are known,
    'known' [n, 1], 1.0 or 0.0. Points that are not known count as points without error, as in the
    reference implementation: the weight of a prior depends on it.

    Args:
      prior: what an image is to have little of where nothing is known, at points drawn anew in each
        step: 'total_variation' (the mean absolute gradient), 'hessian' (the mean Frobenius norm of
        the second derivatives), or None.
      prior_weight: its factor.

    Raises:
      UserError: for an unknown prior.
    """

    needs: Sequence[str] = ('coordinates', 'value')
    open_constant = False

    def __init__(self, prior: str | None = None, prior_weight: float = 1.0):
        if prior is not None and prior not in _PRIORS:
            raise UserError(
                f'losses.match_values: there is no prior {prior!r}, only {", ".join(_PRIORS)}.'
                f'{did_you_mean(prior, _PRIORS)}'
            )
        self._prior = prior
        self._prior_weight = prior_weight
        self.terms: Sequence[str] = ('values', 'prior') if prior else ('values',)

    def __call__(self, field: Field, batch: Batch, seed: tf.Tensor) -> Terms:
        """Returns the terms."""
        error = tf.square(field(batch['coordinates']) - batch['value'])
        if 'known' in batch:
            error *= batch['known']
        terms = {'values': tf.reduce_mean(error)}
        if self._prior:
            terms['prior'] = self._prior_weight * self._roughness(field, batch, seed)
        return terms

    def _roughness(self, field: Field, batch: Batch, seed: tf.Tensor) -> tf.Tensor:
        """Evaluates the prior at half as many points as the batch has."""
        count, dimensions = batch['coordinates'].shape
        points = tf.random.stateless_uniform([max(1, count // 2), dimensions], seed, -1.0, 1.0)
        if self._prior == 'total_variation':
            return tf.reduce_mean(tf.abs(derivatives.gradient(field, points)[1]))
        return tf.reduce_mean(tf.norm(derivatives.hessian(field, points)[2], axis=(-2, -1)))


@register('losses', 'match_gradients')
class MatchGradients:
    """The mean squared length of the error of the gradient.

    The batch holds 'coordinates' [n, d] and 'gradient' [n, c, d]. It leaves a constant open.
    """

    needs: Sequence[str] = ('coordinates', 'gradient')
    terms: Sequence[str] = ('gradients',)
    open_constant = True

    def __call__(self, field: Field, batch: Batch, seed: tf.Tensor) -> Terms:
        """Returns the term."""
        del seed
        values, gradient = derivatives.gradient(field, batch['coordinates'])
        error = tf.reduce_sum(tf.square(gradient - batch['gradient']), axis=-1)
        return {'gradients': tf.reduce_mean(error) + _no_constant(values)}


@register('losses', 'match_laplacian')
class MatchLaplacian:
    """The mean squared error of the Laplacian.

    The batch holds 'coordinates' [n, d] and 'laplacian' [n, c]. It leaves any field open whose
    Laplacian is zero.
    """

    needs: Sequence[str] = ('coordinates', 'laplacian')
    terms: Sequence[str] = ('laplacian',)
    open_constant = True

    def __call__(self, field: Field, batch: Batch, seed: tf.Tensor) -> Terms:
        """Returns the term."""
        del seed
        values, _, laplacian = derivatives.laplacian(field, batch['coordinates'])
        error = tf.square(laplacian - batch['laplacian'])
        return {'laplacian': tf.reduce_mean(error) + _no_constant(values)}


@register('losses', 'signed_distance')
class SignedDistance:
    """Makes a field the signed distance to a surface of oriented points (section 4.2 of the paper).

    The batch holds points 'surface' [n, d] with their 'normal' [n, d], of length 1, and points
    'elsewhere' [m, d]. On the surface the field is to be zero and its gradient the normal;
    elsewhere it is to be away from zero; the gradient's length is to be 1 in all places. Each term
    is the mean over its points.

    Args:
      surface: weight of the absolute value on the surface.
      elsewhere: weight of exp(-sharpness |value|) elsewhere.
      normal: weight of 1 - the cosine between gradient and normal.
      eikonal: weight of the error of the gradient's length.
      sharpness: how fast being near zero is forgiven with the value.
    """

    needs: Sequence[str] = ('surface', 'normal', 'elsewhere')
    terms: Sequence[str] = ('surface', 'elsewhere', 'normal', 'eikonal')
    open_constant = False

    def __init__(
        self,
        surface: float = 3000.0,
        elsewhere: float = 100.0,
        normal: float = 100.0,
        eikonal: float = 50.0,
        sharpness: float = 100.0,
    ):
        self._weights = {
            'surface': surface,
            'elsewhere': elsewhere,
            'normal': normal,
            'eikonal': eikonal,
        }
        self._sharpness = sharpness

    def __call__(self, field: Field, batch: Batch, seed: tf.Tensor) -> Terms:
        """Returns the terms."""
        del seed
        count = batch['surface'].shape[0]
        points = tf.concat([batch['surface'], batch['elsewhere']], axis=0)
        values, gradients = derivatives.gradient(field, points)
        gradients = gradients[:, 0]
        cosine = tf.reduce_sum(tf.nn.l2_normalize(gradients[:count], -1) * batch['normal'], -1)
        found = {
            'surface': tf.abs(values[:count]),
            'elsewhere': tf.exp(-self._sharpness * tf.abs(values[count:])),
            'normal': 1 - cosine,
            'eikonal': tf.abs(tf.norm(gradients, axis=-1) - 1),
        }
        return {name: self._weights[name] * tf.reduce_mean(term) for name, term in found.items()}


def _no_constant(values: tf.Tensor) -> tf.Tensor:
    """Zero: it gives what only shifts the values, the last bias, the gradient 0 and not none."""
    return 0.0 * tf.reduce_mean(values)
