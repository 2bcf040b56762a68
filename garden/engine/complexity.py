"""What a network costs for one input: parameters, multiply-adds, activations, counted on its graph.

The rules are those of the tables in the RegNet paper (pycls): a product counts its multiply-adds, a
bias one more for each output; normalisation, pooling and element-wise arithmetic count nothing;
activations are the outputs of the products that have weights.
"""

import collections
import dataclasses
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from garden.engine.graph_cost import Notes, Scope, Walk


@dataclasses.dataclass(frozen=True)
class Row:
    """The share of one part of a network.

    Attributes:
      name: the name scope, e.g. 's1'.
      parameters: trainable scalars.
      fixed_parameters: scalars that are not trained, e.g. moving statistics.
      multiply_adds: of convolutions and matrix products, and biases.
      activations: output elements of convolutions and matrix products with weights.
      output_shape: shape that leaves the part, batch included.
    """

    name: str
    parameters: int = 0
    fixed_parameters: int = 0
    multiply_adds: int = 0
    activations: int = 0
    output_shape: tuple[int | None, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Complexity:
    """The parts of a network in the order of its graph.

    Attributes:
      rows: the parts; their sums are the properties of the same names.
      uncertain: operations that the sums may not do justice: loops of unknown length, which count
        once; conditions, of which all branches count; products of unknown shape, which do not
        count.
    """

    rows: tuple[Row, ...]
    uncertain: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """Trainable scalars."""
        return sum(row.parameters for row in self.rows)

    @property
    def fixed_parameters(self) -> int:
        """Scalars that are not trained."""
        return sum(row.fixed_parameters for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for the given inputs."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def activations(self) -> int:
        """Output elements of convolutions and matrix products with weights."""
        return sum(row.activations for row in self.rows)


def complexity(model: Callable[..., Any], *input_specs: Any, depth: int = 1) -> Complexity:
    """Counts what one call of `model` costs.

    Args:
      model: any callable of tensors: a model, a tf.Module, a function. Its attributes `variables`
        and `trainable_variables` count where it has them, else the variables that the call reads.
      *input_specs: a tf.TensorSpec, or a structure of them, for each argument; a batch axis of
        unknown size is taken as 1.
      depth: name scopes below the model's own that tell parts from each other: 1 for stages.

    Returns:
      The cost of each part.
    """

    @tf.function
    def call(*inputs: Any) -> Any:
        return model(*inputs)

    graph = call.get_concrete_function(*tf.nest.map_structure(_batch_of_one, input_specs)).graph
    variables = getattr(model, 'variables', graph.variables)
    trainable = getattr(model, 'trainable_variables', graph.trainable_variables)
    owners = {handle: index for index, v in enumerate(variables) for handle in _handles(v)}
    captured = {inside.name: owners.get(id(outside)) for outside, inside in graph.captures}
    notes = Notes()
    Walk(notes, graph, {t.name for t in graph.inputs} - set(captured), captured).run()
    trained = {handle for v in trainable for handle in _handles(v)}
    sizes = [(math.prod(v.shape), _handles(v)[0] in trained) for v in variables]
    return Complexity(_rows(notes, sizes, depth), tuple(notes.uncertain))


def _batch_of_one(spec: tf.TensorSpec) -> tf.TensorSpec:
    shape = tf.TensorShape(spec.shape)
    if shape.rank and shape[0] is None:
        shape = tf.TensorShape([1, *shape[1:]])
    return tf.TensorSpec(shape, spec.dtype)


def _handles(variable: tf.Variable) -> list[int]:
    """Returns an identity for each replica's copy of the variable; a capture has one of them."""
    return [id(part.handle) for part in getattr(variable, 'values', (variable,))]


def _rows(notes: Notes, sizes: Sequence[tuple[int, bool]], depth: int) -> tuple[Row, ...]:
    scopes = [scope for scope, _, _ in notes.costs]
    levels = itertools.takewhile(lambda level: len(set(level)) == 1, zip(*scopes, strict=False))
    common = len(list(levels))

    def part(scope: Scope) -> str:
        return '/'.join(scope[common:][:depth]) or (scope[common - 1] if common else 'model')

    sums: dict[str, collections.Counter] = {part(scope): collections.Counter() for scope in scopes}
    for scope, multiply_adds, activations in notes.costs:
        sums[part(scope)].update(multiply_adds=multiply_adds, activations=activations)
    for index, (size, trained) in enumerate(sizes):
        name = part(notes.owners[index]) if index in notes.owners else 'unused'
        kind = 'parameters' if trained else 'fixed_parameters'
        sums.setdefault(name, collections.Counter())[kind] += size
    root = scopes[0][:common] if scopes else ()
    shapes = {
        part(scope): tuple(shape)
        for scope, shape in notes.shapes
        if scope[:common] == root and shape.rank is not None
    }
    return tuple(Row(name, **sums[name], output_shape=shapes.get(name)) for name in sums)
