"""Examples of two domains side by side, each in an order of its own."""

import dataclasses
from typing import Any, Protocol

import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.images import SizedImages
from garden.core.registry import register

_OWN_ORDER = 1 << 48  # Added to the run's seed for the second domain.


class Domain(SizedImages, Protocol):
    """Images of one domain."""

    batch_size: int
    training: bool


@register('dataloaders', 'unpaired')
class Unpaired:
    """Batches {'a': batch of one domain, 'b': batch of the other}.

    The orders of the two have nothing to do with each other, even where both read the same source.
    A domain that is smaller begins anew sooner in training. An evaluation ends with the smaller
    one, and its 'mask' is False where either example is padding.

    Args:
      a: the loader of the first domain.
      b: the loader of the second domain.

    Raises:
      UserError: if they differ in batch_size, or one is for training and the other is not.
    """

    def __init__(self, a: Domain, b: Domain):
        for name in ('batch_size', 'training'):
            one, other = getattr(a, name), getattr(b, name)
            if one != other:
                raise UserError(
                    f'dataloaders.unpaired: the {name} of a is {one}, that of b {other}; they are '
                    'to be the same.'
                )
        self.a = a
        self.b = b

    def __call__(self, feed: Feed) -> tf.data.Dataset:
        """Returns batches that are the share of one replica, from `feed.step` on."""
        both = {
            'a': self.a(feed),
            'b': self.b(dataclasses.replace(feed, seed=feed.seed + _OWN_ORDER)),
        }
        pairs = tf.data.Dataset.zip(both)
        return pairs if self.a.training else pairs.map(_with_common_mask)

    @property
    def summary(self) -> str:
        """What is read of either domain."""
        return f'a: {self.a.summary}; b: {self.b.summary}'


def _with_common_mask(pair: dict[str, Any]) -> dict[str, Any]:
    return {**pair, 'mask': pair['a']['mask'] & pair['b']['mask']}
