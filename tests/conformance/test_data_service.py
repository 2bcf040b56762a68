"""Every experiment's training data can be made by several workers, each every so many steps."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from catalogue import OFFLINE, stand_ins

from garden.core.feed import Feed

_WORKERS = 2


@pytest.mark.parametrize('name', stand_ins(OFFLINE))
def test_workers_in_turn_make_what_one_pipeline_makes(name, small, one_device):
    _, (trainer, *_), _ = small(name, one_device, mode='describe')
    feed = Feed(seed=3, step=2)
    alone = trainer.task.train_data(feed)
    in_turn = [
        trainer.task.train_data(dataclasses.replace(feed, step=2 + k, stride=_WORKERS))
        for k in range(_WORKERS)
    ]
    turns = tf.data.Dataset.range(_WORKERS).repeat()
    together = tf.data.Dataset.choose_from_datasets(in_turn, turns)
    for ours, theirs in zip(together.take(4), alone.take(4), strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, ours, theirs)
