"""Inception networks from a file of the user's, and what figures may be called that they give."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.core.registry import register

_HDF5 = b'\x89HDF\r\n\x1a\n'
_INPUT, _POOL, _LOGITS = 'ExpandDims', 'pool_3', 'softmax/logits/MatMul'
_FEATURES = 2048
_SIDE = 299
_KNOWN = (
    'the frozen graph of 2015-12-05 (classify_image_graph_def.pb), or the weights of '
    "Keras' InceptionV3 with its classifier (inception_v3_weights_tf_dim_ordering_tf_kernels.h5)"
)


@register('evaluators', 'inception')
class Inception:
    """Looks at images as an Inception network does, whose weights are a local file of the user's.

    * The frozen TensorFlow graph of 2015-12-05, on which published figures rest (arXiv:1606.03498,
      arXiv:1706.08500), gives 'fid', 'kid' and 'inception_score'. The graph itself resizes images.
    * Keras' InceptionV3, trained on ImageNet, is another network with another preprocessing. It
      gives 'fid_keras_v3', 'kid_keras_v3' and 'score_keras_v3', which no paper's figure may be
      compared with. Images are resized bilinearly to 299 x 299.

    Args:
      path: the file.
      batch_size: images that are looked at together.

    Attributes:
      metrics: what the Fréchet distance, the kernel distance and the classifier score are called.

    Raises:
      UserError: if the file cannot be read or is neither of the two.
    """

    def __init__(self, path: str, batch_size: int = 50):
        self._path = path
        self._batch_size = batch_size
        try:
            with Path(path).open('rb') as file:
                keras_weights = file.read(len(_HDF5)) == _HDF5
        except OSError as error:
            raise UserError(
                f'evaluators.inception.path: {path} cannot be read ({error.strerror}).'
            ) from error
        self._load: Callable[[], Callable] = functools.cache(
            functools.partial(_keras_network, path)
            if keras_weights
            else functools.partial(_graph_network, path)
        )
        if keras_weights:
            self.metrics = ('fid_keras_v3', 'kid_keras_v3', 'score_keras_v3')
        else:
            self._load()  # Only its inside tells what a graph is.
            self.metrics = ('fid', 'kid', 'inception_score')

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns features [n, 2048] and class probabilities of uint8 [n, h, w, 1 or 3]."""
        network = self._load()
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        parts = [
            network(tf.constant(images[start : start + self._batch_size]))
            for start in range(0, len(images), self._batch_size)
        ]
        features, probabilities = zip(*parts, strict=True)
        return np.concatenate(features), np.concatenate(probabilities)


def _graph_network(path: str) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(Path(path).read_bytes())
    except Exception as error:  # What protobuf raises is no dependency of ours.
        raise _refusal(path) from error
    nodes = {node.name: node for node in graph.node}
    if not {_INPUT, _POOL, _LOGITS} <= nodes.keys():
        raise _refusal(path)
    weights = nodes[_LOGITS].input[1]

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)], autograph=False)
    def network(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        found = tf.graph_util.import_graph_def(
            graph,
            input_map={f'{_INPUT}:0': tf.cast(images, tf.float32)},
            return_elements=[f'{_POOL}:0', weights if ':' in weights else f'{weights}:0'],
        )
        features = tf.reshape(found[0], [-1, _FEATURES])
        # The bias is left out, as by the code that the published inception scores come from.
        return features, tf.nn.softmax(tf.cast(features @ found[1], tf.float64))

    return network


def _keras_network(path: str) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
    model = keras.applications.InceptionV3(weights=None)
    try:
        model.load_weights(path)
    except (ValueError, KeyError, OSError) as error:
        raise _refusal(path) from error
    both: Any = keras.Model(model.input, [model.get_layer('avg_pool').output, model.output])

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)], autograph=False)
    def network(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        resized = tf.image.resize(tf.cast(images, tf.float32), [_SIDE, _SIDE])
        features, probabilities = both(resized / 127.5 - 1, training=False)
        return features, tf.cast(probabilities, tf.float64)

    return network


def _refusal(path: str) -> UserError:
    return UserError(f'evaluators.inception.path: {path} is neither of the known files, {_KNOWN}.')
