"""Fills a model with the weights of another project, by a table of names.

A converter is such a table for one model: a function registered as `converters.<model>`, which
returns a `Layout` for each project whose files it reads.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from garden.core.errors import StorageError, UserError, did_you_mean

# The names of the variables of a layer, here and in PyTorch.
_TORCH_NAMES = {
    'kernel': 'weight',
    'gamma': 'weight',
    'beta': 'bias',
    'moving_mean': 'running_mean',
    'moving_variance': 'running_var',
}


@dataclasses.dataclass(frozen=True)
class Layout:
    """How a project that uses PyTorch names the layers of a model, and where its values differ.

    Attributes:
      layers: pairs (regular expression, replacement as in re.sub) that turn the name of one of our
        layers, e.g. 's1.b1.conv1.conv', into theirs; all are applied, in turn.
      changes: what to do to values, by the name of our variable, e.g. 'stem.conv.kernel', after
        axes are in our order.
      ignored: regular expression of their tensors that have no counterpart.
    """

    layers: Sequence[tuple[str, str | Callable[[re.Match], str]]] = ()
    changes: Mapping[str, Callable[[np.ndarray], np.ndarray]] = dataclasses.field(
        default_factory=dict
    )
    ignored: str = r'\.num_batches_tracked$'

    def tensor_name(self, variable: str) -> str:
        """Returns their name for a variable, e.g. 'stem.conv.weight' for 'stem.conv.kernel'."""
        layer, _, name = variable.rpartition('.')
        for pattern, replacement in self.layers:
            layer = re.sub(pattern, replacement, layer)
        return f'{layer}.{_TORCH_NAMES.get(name, name)}'

    def value(self, variable: str, tensor: np.ndarray) -> np.ndarray:
        """Returns the value of a variable: PyTorch's kernels have their last axes first."""
        if variable.endswith('.kernel') and tensor.ndim > 1:
            tensor = tensor.transpose(*range(2, tensor.ndim), 1, 0)
        change = self.changes.get(variable)
        return change(tensor) if change else tensor


@dataclasses.dataclass(frozen=True)
class Filled:
    """What `fill` did.

    Attributes:
      layout: the name of the layout.
      used: the tensors that were used, each once.
      ignored: those that have no counterpart.
      kept: the variables that were left out.
    """

    layout: str
    used: Sequence[str]
    ignored: Sequence[str]
    kept: Sequence[str]


def fill(
    model: tf.Module,
    layouts: Mapping[str, Layout],
    tensors: Mapping[str, np.ndarray],
    layout: str | None = None,
    leave_out: Iterable[str] = (),
) -> Filled:
    """Gives every variable of a model its value from a tensor, and uses every tensor.

    Args:
      model: the model, with its variables.
      layouts: the layouts to choose from, by name.
      tensors: what a file holds, see `weight_file.read`.
      layout: the layout of the file; None for the one that knows most of its names.
      leave_out: layers, e.g. 'head.fc', that keep the values that the model has.

    Raises:
      UserError: if a variable would get no value, a tensor would be unused, or shapes differ; the
        model is as it was.
    """
    layout = layout or _recognised(model, layouts, tensors)
    if layout not in layouts:
        raise UserError(
            f'--layout={layout} is not known.{did_you_mean(layout, layouts)} '
            f'Choices: {", ".join(layouts)}.'
        )
    chosen = layouts[layout]
    variables = names(model)
    kept = _below(variables, leave_out)
    sources = {name: chosen.tensor_name(name) for name in variables}
    if len({*sources.values()}) < len(sources):
        raise ValueError(f'The layout {layout} gives one tensor to two variables.')
    _check(chosen, variables, sources, tensors, kept)
    used = [name for name in variables if name not in kept]
    for name in used:
        variables[name].assign(chosen.value(name, tensors[sources[name]]).astype(np.float32))
    used = [sources[name] for name in used]
    return Filled(layout, used, sorted({*tensors} - {*used}), sorted(kept))


def names(model: tf.Module) -> dict[str, tf.Variable]:
    """Returns the variables of a model by name, e.g. 's1.b1.conv1.conv.kernel'."""
    found = {v.name.removesuffix(':0').replace('/', '.'): v for v in model.variables}
    if len(found) < len(model.variables):
        raise ValueError(f'Two variables of {type(model).__name__} have one name.')
    return found


def write(model: tf.Module, path: str, attribute: str = 'model') -> None:
    """Writes a checkpoint that `--init_checkpoint` and `phase.warm_start` take.

    Args:
      model: the model.
      path: the checkpoint's; '.index' and '.data' files of this name appear.
      attribute: of a task, the one that holds the model.

    Raises:
      StorageError: if it cannot be written.
    """
    part = tf.train.Checkpoint(**{attribute: model})
    try:
        tf.io.gfile.makedirs(path.rpartition('/')[0] or '.')
        tf.train.Checkpoint(task=part).write(path)
    except (OSError, tf.errors.OpError) as error:
        raise StorageError(f'{path} cannot be written: {str(error).splitlines()[0]}.') from error


def _recognised(
    model: tf.Module, layouts: Mapping[str, Layout], tensors: Mapping[str, np.ndarray]
) -> str:
    hits = {
        name: len({layout.tensor_name(variable) for variable in names(model)} & tensors.keys())
        for name, layout in layouts.items()
    }
    best = max(hits, key=lambda name: hits[name])
    if not hits[best]:
        raise UserError(
            f'These weights are of another model, or of another project than {", ".join(layouts)}: '
            f'not one name of theirs is known; the first is {next(iter(tensors), "missing")}.'
        )
    return best


def _below(variables: Iterable[str], layers: Iterable[str]) -> set[str]:
    found = set()
    for layer in layers:
        below = {name for name in variables if f'{name}.'.startswith(f'{layer}.')}
        if not below:
            known = {name.rpartition('.')[0] for name in variables}
            raise UserError(
                f'--leave_out={layer}: no layer has that name.' + did_you_mean(layer, known)
            )
        found |= below
    return found


def _check(
    layout: Layout,
    variables: Mapping[str, tf.Variable],
    sources: Mapping[str, str],
    tensors: Mapping[str, np.ndarray],
    kept: set[str],
) -> None:
    """Raises an error that names the first thing that does not fit, and how much does not."""
    known = {*sources.values()}
    extra = [n for n in tensors if n not in known and not re.search(layout.ignored, n)]
    wrong: dict[str, str] = {}
    for name in (n for n in variables if n not in kept):
        source, shape = sources[name], tuple(variables[name].shape)
        if source not in tensors:
            wrong[name] = f'{source} is missing.{did_you_mean(source, extra, 1)}'
            continue
        found = layout.value(name, np.broadcast_to(np.int8(0), tensors[source].shape)).shape
        if found != shape:
            wrong[name] = f'{source} is {_text(found)} and {name} {_text(shape)}.'
    layers = {name.rpartition('.')[0] for name in wrong}
    first = next(iter(wrong.values()), '')
    if len(layers) == 1 and not extra:
        raise UserError(
            f'{first} All else fits: give the model the same size there (num_classes, say), or '
            f'--leave_out={layers.pop()} to keep its own initial values.'
        )
    if wrong:
        raise UserError(
            f'These weights are of another model: {first}{_more([*wrong, *extra])} Check the '
            'variant, its width_rounding and the file.'
        )
    if extra:
        raise UserError(
            f'{extra[0]} has no counterpart in the model{_more(extra)}: these weights are of '
            f'another model.{did_you_mean(extra[0], known, 1)}'
        )


def _text(shape: Sequence[int]) -> str:
    return 'x'.join(map(str, shape)) or 'a number'


def _more(found: Sequence[str]) -> str:
    return f' ({len(found) - 1} more do not fit)' if len(found) > 1 else ''
