"""Walks over a traced graph and notes the cost of its products; the rules of `complexity`."""

import dataclasses
import math
from collections.abc import Callable, Mapping

import tensorflow as tf

Scope = tuple[str, ...]


@dataclasses.dataclass
class Notes:
    """What walks over graphs find.

    Attributes:
      costs: scope, multiply-adds and activations of each product and bias.
      shapes: scope and shape of each tensor that depends on the inputs of the network.
      owners: the scope that first reads a variable, by its index.
      uncertain: see `garden.engine.complexity.Complexity`.
    """

    costs: list[tuple[Scope, int, int]] = dataclasses.field(default_factory=list)
    shapes: list[tuple[Scope, tf.TensorShape]] = dataclasses.field(default_factory=list)
    owners: dict[int, Scope] = dataclasses.field(default_factory=dict)
    uncertain: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Walk:
    """A walk over one graph, and over the functions that it calls.

    Attributes:
      notes: takes what is found.
      graph: the graph.
      moving: names of the placeholders that depend on the inputs of the network; the walk adds the
        tensors that do. A tensor that does not move is a weight.
      captured: the index of the variable that each other placeholder stands for.
      outer: the scope in which the graph is called.
      times: how often it is called.
    """

    notes: Notes
    graph: tf.Graph
    moving: set[str]
    captured: Mapping[str, int | None]
    outer: Scope = ()
    times: int = 1

    def run(self) -> set[str]:
        """Notes every operation that leads to an output; returns the tensors that are products."""
        needed = _needed(self.graph)
        products: set[str] = set()
        for op in self.graph.get_operations():
            if op.name not in needed:
                continue
            scope = self.outer + _scope(op.name, needed)
            inputs = {tensor.name for tensor in op.inputs}
            outputs = {tensor.name for tensor in op.outputs}
            if self.moving & inputs:
                self.moving |= outputs
                first = op.outputs[:1]
                self.notes.shapes += [(scope, t.shape) for t in first if t.dtype.is_floating]
            if op.type in _CALLS:
                products |= self._call(op, scope)
                continue
            self._own(scope, inputs)
            if op.type in _PRODUCTS:
                self._product(op, scope)
                products |= outputs
            elif products & inputs and op.type in _RESHAPES:
                products |= outputs
            elif products & inputs and _is_bias(op, self.moving | products):
                elements = op.outputs[0].shape.num_elements() or 0
                self.notes.costs.append((scope, self.times * elements, 0))
        return products

    def _own(self, scope: Scope, inputs: set[str]) -> None:
        for name in inputs:
            index = self.captured.get(name)
            if index is not None and index not in self.notes.owners:
                self.notes.owners[index] = scope
                self.notes.costs.append((scope, 0, 0))  # Gives the scope its place among the rows.

    def _product(self, op: tf.Operation, scope: Scope) -> None:
        if not all(t.shape.is_fully_defined() for t in (*op.inputs, *op.outputs)):
            self.notes.uncertain.append('/'.join((*scope, op.type)))
            return
        multiply_adds = _PRODUCTS[op.type](op)
        weighted = any(tensor.name not in self.moving for tensor in op.inputs[-2:])
        activations = op.outputs[0].shape.num_elements() if multiply_adds and weighted else 0
        self.notes.costs.append((scope, self.times * multiply_adds, self.times * activations))

    def _call(self, op: tf.Operation, scope: Scope) -> set[str]:
        attribute, first_input = _CALLS[op.type]
        called = [op.get_attr(name) for name in attribute.split()]
        called = called[0] if isinstance(called[0], list) else called
        turns = _turns(op) if attribute == 'body' else 1
        if turns is None or len(called) > 1:
            self.notes.uncertain.append('/'.join((*scope, op.type)))
        products = set()
        for function in called:
            graph = self.graph._get_function(function.name).graph
            pairs = list(zip(graph.inputs, op.inputs[first_input:], strict=True))
            moving = {inside.name for inside, outside in pairs if outside.name in self.moving}
            captured = {inside.name: self.captured.get(outside.name) for inside, outside in pairs}
            times = self.times * (turns or 1)
            found = Walk(self.notes, graph, moving, captured, scope, times).run()
            results = zip(graph.outputs, op.outputs, strict=True)
            products |= {outside.name for inside, outside in results if inside.name in found}
        return products


def _needed(graph: tf.Graph) -> set[str]:
    """Returns the names of the operations that lead to an output; an RNN of Keras has others."""
    needed: set[str] = set()
    pending = [tensor.op for tensor in graph.outputs]
    while pending:
        op = pending.pop()
        if op.name not in needed:
            needed.add(op.name)
            pending += [*op.control_inputs, *(tensor.op for tensor in op.inputs)]
    return needed


def _scope(name: str, names: set[str]) -> Scope:
    """Returns the scope of an operation, without the names of operations that read for others."""
    scope = name.split('/')[:-1]
    while scope and '/'.join(scope) in names:
        scope.pop()
    return tuple(scope)


def _is_bias(op: tf.Operation, not_weights: set[str]) -> bool:
    return op.type in _ADDITIONS and any(
        tensor.name not in not_weights and tensor.shape.rank != 0 for tensor in op.inputs
    )


def _turns(loop: tf.Operation) -> int | None:
    """Returns how often a while loop runs if its graph tells, i.e. sets a limit, else None."""
    limit = tf.get_static_value(loop.inputs[1])
    return None if limit is None or limit.ndim or limit < 0 else int(limit)


def _elements(tensor: tf.Tensor) -> int:
    return math.prod(tensor.shape)


def _einsum(op: tf.Operation) -> int:
    """Multiply-adds of a product of two operands: the product of the sizes of all its labels."""
    terms = op.get_attr('equation').decode().split('->')[0].split(',')
    if len(terms) < 2:
        return 0
    sizes: dict[str | int, int] = {}
    for term, operand in zip(terms, op.inputs, strict=True):
        before, dots, after = term.partition('...')
        spanned = operand.shape.rank - len(before) - len(after) if dots else 0
        for label, size in zip([*before, *range(-spanned, 0), *after], operand.shape, strict=True):
            sizes[label] = max(size, sizes.get(label, 1))
    return math.prod(sizes.values())


def _convolution(op: tf.Operation) -> int:
    return _elements(op.outputs[0]) * math.prod(op.inputs[1].shape[:-1])


def _transposed(op: tf.Operation) -> int:
    return _elements(op.inputs[2]) * math.prod(op.inputs[1].shape[:-1])


def _depthwise(op: tf.Operation) -> int:
    return _elements(op.outputs[0]) * math.prod(op.inputs[1].shape[:2])


def _matrix(op: tf.Operation) -> int:
    return _elements(op.outputs[0]) * op.inputs[0].shape[0 if op.get_attr('transpose_a') else 1]


def _matrices(op: tf.Operation) -> int:
    return _elements(op.outputs[0]) * op.inputs[0].shape[-2 if op.get_attr('adj_x') else -1]


_PRODUCTS: dict[str, Callable[[tf.Operation], int]] = {
    'Conv2D': _convolution,
    'Conv3D': _convolution,
    'Conv2DBackpropInput': _transposed,
    'Conv3DBackpropInputV2': _transposed,
    'DepthwiseConv2dNative': _depthwise,
    'MatMul': _matrix,
    'BatchMatMul': _matrices,
    'BatchMatMulV2': _matrices,
    'BatchMatMulV3': _matrices,
    'Einsum': _einsum,
}
_ADDITIONS = ('Add', 'AddV2', 'BiasAdd')
# Operations between a product and its bias.
_RESHAPES = (
    'BatchToSpaceND',
    'Cast',
    'ConcatV2',
    'ExpandDims',
    'Identity',
    'Reshape',
    'Squeeze',
    'Transpose',
)
# The attributes that name the functions called, and the input that is their first.
_CALLS = {
    'PartitionedCall': ('f', 0),
    'StatefulPartitionedCall': ('f', 0),
    'While': ('body', 0),
    'StatelessWhile': ('body', 0),
    'If': ('then_branch else_branch', 1),
    'StatelessIf': ('then_branch else_branch', 1),
    'Case': ('branches', 1),
    'StatelessCase': ('branches', 1),
}
