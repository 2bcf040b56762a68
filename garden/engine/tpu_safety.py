"""What keeps a task off a TPU, found out without one.

A TPU compiles each replica step with XLA, for shapes that it knows beforehand, and its hosts run no
Python of this process. So a step is safe if it can be lowered to XLA's language, if no shape in
there depends on values, and if neither the step nor the input pipeline calls back into Python. What
XLA for TPUs makes of it, and whether it fits into their memory, only a TPU can tell.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.engine import callbacks
from garden.engine.trainer import Trainer

_MISSING_KERNEL = re.compile(r'(\w+) \(No registered [^{]*\{\{node ([^}]*)\}\}')
_DYNAMIC_SHAPE = re.compile(r'\[[\d,]*<=.*?op_type="([^"]*)" op_name="([^"]*)"')


class _UnsafeError(Exception):
    """The predicate of a sentence about a step that a TPU could not take."""


class Rehearsal(tf.distribute.OneDeviceStrategy):
    """Lowers each replica step for XLA where other strategies run it; see `check`."""

    def __init__(self) -> None:
        super().__init__('/cpu:0')

    def run(
        self,
        fn: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        options: tf.distribute.RunOptions | None = None,
    ) -> Mapping[str, Any]:
        """Lowers `fn` for arguments that are tensors or their specifications; returns nothing."""

        @tf.autograph.experimental.do_not_convert
        def lower(*args: Any, **kwargs: Any) -> None:
            _require_lowered(fn, (args, kwargs))

        super().run(lower, args, kwargs, options)
        return {}


def check(trainer: Trainer) -> None:
    """Makes sure that a TPU could take the training and evaluation steps of a task.

    Nothing is read and nothing runs. Of steps that differ, as where a task updates one of its
    networks only now and then, those of step 0 are looked at.

    Args:
      trainer: a trainer that was built for a `Rehearsal`.

    Raises:
      UserError: naming the first thing that a TPU could not do.
    """
    task = trainer.task
    name = type(task).__name__
    if not task.compiled:
        raise UserError(f'{name} runs as plain Python, which a TPU does not.')
    trainer.eval_begin()
    for what, make_data, step in (
        ('training', task.train_data, trainer.train_step),
        ('evaluation', task.eval_data, trainer.eval_step),
    ):
        try:
            data = make_data(Feed())
            _require_pipeline(data)
            step(iter([data.element_spec]))
        except _UnsafeError as error:
            raise UserError(f'A TPU could not run {name}: its {what} {error}') from error


def _require_pipeline(data: tf.data.Dataset) -> None:
    for leaf in tf.nest.flatten(data.element_spec):
        if not isinstance(leaf, tf.TensorSpec) or not leaf.shape.is_fully_defined():
            raise _UnsafeError(
                f'data holds {leaf}, where shapes have to be known beforehand. Pad to a fixed '
                'shape, and batch with drop_remainder=True.'
            )
    _require_none(callbacks.in_pipeline(data), 'data')


def _require_lowered(fn: Callable[..., Any], arguments: Any) -> None:
    def flat(*values: tf.Tensor) -> Any:
        args, kwargs = tf.nest.pack_sequence_as(arguments, values)
        return fn(*args, **kwargs)

    compiled = tf.function(flat, jit_compile=True)
    values = tf.nest.flatten(arguments)
    graph = compiled.get_concrete_function(*values).graph
    _require_none(callbacks.in_graph(graph.as_graph_def()), 'step')
    try:
        lowered = compiled.experimental_get_compiler_ir(*values)(stage='hlo')
    except (ValueError, tf.errors.OpError) as error:
        missing = _MISSING_KERNEL.search(str(error))
        what = f'{missing[1]} ({missing[2]!r})' if missing else str(error).splitlines()[0]
        raise _UnsafeError(f'step cannot be compiled by XLA: {what}.') from error
    if dynamic := _DYNAMIC_SHAPE.search(lowered):
        raise _UnsafeError(
            f'step has {dynamic[1]} ({dynamic[2]!r}), whose shape depends on values. Mask what is '
            'not wanted instead of taking it out.'
        )


def _require_none(found: Sequence[tuple[str, str]], where: str) -> None:
    for op, name in found:
        raise _UnsafeError(
            f'{where} calls back into Python by {op} ({name!r}). Write that with TensorFlow ops.'
        )
