"""Python functions inside graphs: what only this process can run."""

import itertools

import tensorflow as tf

_OPS = {'EagerPyFunc', 'PyFunc', 'PyFuncStateless'}


def in_graph(graph: tf.compat.v1.GraphDef) -> list[tuple[str, str]]:
    """Returns (op, name) of each node, functions included, that calls back into Python."""
    functions = (function.node_def for function in graph.library.function)
    nodes = itertools.chain(graph.node, *functions)
    return [(node.op, node.name) for node in nodes if node.op in _OPS]


def in_pipeline(data: tf.data.Dataset) -> list[tuple[str, str]]:
    """Returns (op, name) of each part of an input pipeline that calls back into Python."""
    serialized = tf.raw_ops.DatasetToGraphV2(
        input_dataset=tf.data.experimental.to_variant(data),
        external_state_policy=tf.data.experimental.ExternalStatePolicy.IGNORE.value,
    )
    return in_graph(tf.compat.v1.GraphDef.FromString(serialized.numpy()))
