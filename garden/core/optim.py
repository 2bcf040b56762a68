"""How tasks prepare optimizers and apply gradients: the one place that knows of replicas.

The loss that a task computes is the mean over its replica's examples. Gradients are divided by the
number of replicas before the optimizer sums them, so the update is that of the mean over the global
batch, whatever the number of replicas. Clipping belongs to the optimizer (`global_clipnorm`), which
sees the summed gradient; clipping by hand would act on each replica's share.
"""

import contextlib
import contextvars
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError

Scalars = Mapping[str, tf.Tensor]
LossFn = Callable[[Any], tuple[tf.Tensor, Scalars]]

NORMALIZATION = (
    keras.layers.BatchNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GroupNormalization,
    keras.layers.UnitNormalization,
)


def prepare(
    optimizer: keras.optimizers.Optimizer,
    variables: Sequence[tf.Variable],
    model: tf.Module | None = None,
) -> keras.optimizers.Optimizer:
    """Creates the optimizer's slots, so that checkpoints are complete before the first step.

    Args:
      optimizer: the optimizer; its attribute `no_decay`, if any, names what weight decay spares:
        'norm' (scales and offsets of normalisation layers) and 'bias' (vectors that other layers
        add).
      variables: the variables it will train.
      model: the module that owns them; needed to tell which belong to normalisation layers.

    Returns:
      The optimizer, wrapped for loss scaling under the policy 'mixed_float16'.
    """
    spared = tuple(getattr(optimizer, 'no_decay', ()))
    if spared:
        if model is None:
            raise ValueError('prepare() needs the model to know which variables no_decay spares.')
        optimizer.exclude_from_weight_decay(var_list=undecayed(model, spared))
    if keras.mixed_precision.global_policy().name == 'mixed_float16':
        optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
    optimizer.build(list(variables))
    return optimizer


def undecayed(model: tf.Module, spared: Iterable[str]) -> list[tf.Variable]:
    """Returns the variables of the kinds in `spared` ('norm', 'bias'), told apart by layer type."""
    spared = set(spared)
    if unknown := spared - {'norm', 'bias'}:
        raise ValueError(f"no_decay names {sorted(unknown)}; it knows 'norm' and 'bias'.")
    layers = [module for module in model.submodules if isinstance(module, keras.layers.Layer)]
    found: dict[Any, tf.Variable] = {}
    for layer in layers:
        if 'norm' in spared and isinstance(layer, NORMALIZATION):
            found.update((v.ref(), v) for v in layer.trainable_variables)
        bias = getattr(layer, 'bias', None)
        if 'bias' in spared and isinstance(bias, tf.Variable):
            found[bias.ref()] = bias
    return list(found.values())


def apply_gradients(
    optimizer: keras.optimizers.Optimizer,
    tape: tf.GradientTape,
    loss: tf.Tensor,
    variables: Sequence[tf.Variable],
) -> None:
    """Moves `variables` down the gradient of `loss`, the mean over this replica's examples.

    Call it on a replica, outside the tape's context; a persistent tape serves several optimizers.
    """
    _apply(optimizer, _gradients(optimizer, tape, loss, variables), variables)


def minimize(
    loss_fn: LossFn,
    batch: Any,
    optimizer: keras.optimizers.Optimizer,
    variables: Sequence[tf.Variable],
    micro_batches: int = 1,
) -> Scalars:
    """Takes one optimizer step on `batch`, in equal parts one after the other if asked.

    With `micro_batches` = n, the gradients of n parts are averaged before the one update: the
    result is that of the whole batch (batch statistics excepted, which are those of a part), at the
    activation memory of a part.

    Args:
      loss_fn: maps a batch to its mean loss and to scalars, means over its examples.
      batch: nested tensors whose first axis is the batch.
      optimizer: a prepared optimizer.
      variables: what to train.
      micro_batches: the number of parts; it must divide the batch of a replica.

    Returns:
      The scalars, averaged over the parts.
    """

    def gradients_of(part: Any) -> tuple[list[tf.Tensor], Scalars]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            loss, scalars = loss_fn(part)
        return _gradients(optimizer, tape, loss, variables), scalars

    gradients, scalars = mean_over_parts(gradients_of, batch, micro_batches)
    _apply(optimizer, gradients, variables)
    return scalars


def split(batch: Any, parts: int) -> Any:
    """Returns `batch` with its first axis cut in two: [n, ...] becomes [parts, n / parts, ...]."""

    def cut(tensor: tf.Tensor) -> tf.Tensor:
        size = tensor.shape[0]
        if size is None or parts < 1 or size % parts:
            raise UserError(
                f'micro_batches: the {size} examples of a replica cannot be cut into {parts} equal '
                'parts.'
            )
        return tf.reshape(tensor, [parts, size // parts, *tensor.shape[1:]])

    return tf.nest.map_structure(cut, batch)


def mean_over_parts(fn: Callable[[Any], Any], batch: Any, count: int) -> Any:
    """Returns the mean of `fn` over `count` equal parts of `batch`, a part in memory at a time."""
    if count == 1:
        return fn(batch)
    parts = split(batch, count)

    def part(i: Any) -> Any:
        return tf.nest.map_structure(lambda t: t[i], parts)

    def add(i: tf.Tensor, total: Any) -> Any:
        return i + 1, tf.nest.map_structure(tf.add, total, fn(part(i)))

    total = fn(part(0))
    _, total = tf.while_loop(
        lambda i, _: i < count, add, (tf.constant(1), total), parallel_iterations=1
    )
    return tf.nest.map_structure(lambda t: t / tf.cast(count, t.dtype), total)


def _gradients(
    optimizer: keras.optimizers.Optimizer,
    tape: tf.GradientTape,
    loss: tf.Tensor,
    variables: Sequence[tf.Variable],
) -> list[tf.Tensor]:
    scale = tf.cast(1 / tf.distribute.get_strategy().num_replicas_in_sync, loss.dtype)
    scaled = isinstance(optimizer, keras.mixed_precision.LossScaleOptimizer)
    if scaled:
        scale *= tf.cast(optimizer.loss_scale, loss.dtype)
    gradients = tape.gradient(loss, variables, output_gradients=scale)
    unused = [v.name for v, g in zip(variables, gradients, strict=True) if g is None]
    if unused:
        raise ValueError(
            f'The loss does not depend on {", ".join(unused)}: leave them out of the variables '
            'given to the optimizer, or connect them.'
        )
    return optimizer.get_unscaled_gradients(gradients) if scaled else gradients


def optimizers_of(task: tf.Module) -> dict[str, keras.optimizers.Optimizer]:
    """Returns the optimizers that a task owns, by attribute; 'name.key' in a list or mapping."""
    found: dict[str, keras.optimizers.Optimizer] = {}
    for name, child in task._trackable_children().items():
        if isinstance(child, keras.optimizers.Optimizer):
            found[name] = child
        elif isinstance(child, (dict, list, tuple)):
            parts: Any = child
            found |= {
                f'{name}.{key}': part
                for key, part in parts._trackable_children().items()
                if isinstance(part, keras.optimizers.Optimizer)
            }
    return found


_norms: contextvars.ContextVar[list | None] = contextvars.ContextVar('norms', default=None)


@contextlib.contextmanager
def recorded_norms() -> Iterator[list[tuple[keras.optimizers.Optimizer, tf.Tensor]]]:
    """Collects (optimizer, global norm of its gradient) of the updates made in the context.

    The norm is that of the gradient summed over replicas, before any clipping.
    """
    recorded: list[tuple[keras.optimizers.Optimizer, tf.Tensor]] = []
    token = _norms.set(recorded)
    try:
        yield recorded
    finally:
        _norms.reset(token)


def _apply(
    optimizer: keras.optimizers.Optimizer,
    gradients: Sequence[tf.Tensor],
    variables: Sequence[tf.Variable],
) -> None:
    recorded = _norms.get()
    if recorded is not None:
        context = tf.distribute.get_replica_context()
        summed = context.all_reduce(tf.distribute.ReduceOp.SUM, list(gradients))
        recorded.append((optimizer, tf.linalg.global_norm(summed)))
    optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))


def learning_rate(
    optimizer: keras.optimizers.Optimizer, step: tf.Tensor | int | None = None
) -> tf.Tensor:
    """Returns the learning rate of the update after `step` others, by default of the last one."""
    inner = getattr(optimizer, 'inner_optimizer', optimizer)
    schedule = getattr(inner, '_learning_rate', None)
    if isinstance(schedule, keras.optimizers.schedules.LearningRateSchedule):
        last = tf.maximum(optimizer.iterations - 1, 0)
        return schedule(last if step is None else step)
    return tf.convert_to_tensor(optimizer.learning_rate)
