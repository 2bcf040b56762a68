"""The contract that a research system fulfils: its data, its state, one step of its training.

A task owns models, optimizers and random state as attributes; everything that hangs on it is saved
and restored. It holds no loop, file, device or flag: those are the engine's. The trainer knows
nothing of models and optimizers: a system with four networks, or none, needs no change there.
"""

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from garden.core.average import MovingAverage
from garden.core.calibration import Calibration
from garden.core.feed import Feed

Scalars = Mapping[str, tf.Tensor]
Batch = Any
ReplicaStep = Callable[[Batch, tf.Tensor], Scalars]
Run = Callable[[ReplicaStep, Batch], None]


class Evaluator(Protocol):
    """A metric computed on the host from what `Task.eval_step` hands out, e.g. COCO's AP.

    Attributes:
      metrics: the names that `result` returns.
    """

    metrics: Sequence[str]

    def reset_state(self) -> None:
        """Forgets everything: a pass over the evaluation data begins."""

    def update_state(self, outputs: Mapping[str, np.ndarray]) -> None:
        """Takes the outputs of one batch, padding removed, all replicas' in order."""

    def result(self) -> Mapping[str, float]:
        """Returns the metrics of the pass."""


class Task(tf.Module, abc.ABC):
    """Data, state and one step of a research system.

    Attributes:
      train_scalars: the names that `train_step` returns; they are logged as means over a loop.
      eval_scalars: the names that `eval_step` returns; they become means over all examples.
      compiled: False lets the steps run as plain Python, for systems without a gradient tape
        (NumPy networks, boosted trees); such a task runs on one device only.
    """

    train_scalars: Sequence[str] = ('loss',)
    eval_scalars: Sequence[str] = ()
    compiled: bool = True

    @abc.abstractmethod
    def train_data(self, feed: Feed) -> tf.data.Dataset:
        """Returns endless batches, each the share of one replica, starting at `feed.step`."""

    def eval_data(self, feed: Feed) -> tf.data.Dataset:
        """Returns one pass over the evaluation data, in batches that are the share of one replica.

        A batch that is a mapping may hold 'mask', a bool vector: False marks an example that only
        pads the last batch. A task without evaluation data inherits one batch of a lone zero.
        """
        del feed
        return tf.data.Dataset.from_tensors(tf.zeros([], tf.int64))

    @abc.abstractmethod
    def train_step(self, batch: Batch, seed: tf.Tensor) -> Scalars:
        """Takes one training step on one replica.

        Args:
          batch: this replica's share of the batch.
          seed: int32[2], another one for each step, replica and call; the only source of randomness
            a step may use, with the stateless ops of tf.random. Dropout layers are seeded anyway.

        Returns:
          A scalar for each name in `train_scalars`, a mean over this replica's examples.
        """

    def step(self, run: Run, batch: Batch, step: tf.Tensor) -> None:
        """Takes one step over all replicas. Override it for control flow around replica steps.

        Args:
          run: calls a replica step on every replica and records what it returns.
          batch: the batch, a per-replica value.
          step: the number of steps taken before, an int64 tensor: `if step % 5 == 0: run(...)`.
        """
        del step
        run(self.train_step, batch)

    def eval_step(self, batch: Batch, seed: tf.Tensor) -> tuple[Scalars, Mapping[str, tf.Tensor]]:
        """Evaluates one batch on one replica.

        Returns:
          A vector with one value per example for each name in `eval_scalars`, and outputs for the
          evaluators and pictures: tensors whose first axis is the batch.
        """
        del batch, seed
        return {}, {}

    def evaluators(self) -> Mapping[str, Evaluator]:
        """Returns the host-side metrics, by name; they are fed with the outputs of `eval_step`."""
        return {}

    def averages(self) -> Sequence[MovingAverage]:
        """Returns the moving averages of weights to update after each step and to evaluate with."""
        return ()

    def calibration(self) -> Calibration | None:
        """Returns what to estimate anew from training batches before each evaluation, if anything.

        The weights are by then the averaged ones, if there are any.
        """
        return None

    def gauges(self) -> Mapping[str, Callable[[], tf.Tensor]]:
        """Returns scalars to read at the end of a loop, e.g. an optimizer's learning rate."""
        return {}

    def pictures(self, step: int) -> Mapping[str, np.ndarray]:
        """Returns what there is to see after an evaluation: uint8 images [H, W, 3] by name."""
        del step
        return {}

    def draw_batch(self, batch: Batch) -> Mapping[str, np.ndarray]:
        """Returns what a training batch looks like: uint8 images [H, W, 3] by name."""
        del batch
        return {}

    def initialize(self) -> None:
        """Runs once before the first step of a run that has no checkpoint, after any warm start."""

    def facts(self) -> Mapping[str, str]:
        """Returns what to say of the task at the start of a run, e.g. the size of its data."""
        return {}

    def models(self) -> Mapping[str, tuple[Any, ...]]:
        """Returns the networks to describe and count, by name: (network, spec of input, ...)."""
        return {}

    def signatures(self) -> Mapping[str, Callable[..., Any]]:
        """Returns what the task exports: tf.functions with an input signature, by name.

        One whose only input is a vector of strings takes the bytes of files, which is what
        `--mode=predict` feeds it. An output uint8 [batch, height, width, 1 or 3] is a picture.
        """
        return {}

    def signature_data(self, name: str, feed: Feed) -> Iterable[Batch]:
        """Yields batches of real inputs of a signature, by argument; inherited, evaluation data.

        They calibrate and check what is converted (TFLite, ONNX). What the signature does not take
        is not looked at, nor is an example whose 'mask' is False.
        """
        del name
        return self.eval_data(feed)
