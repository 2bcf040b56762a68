"""Inception files are told apart by what is in them; made here, with random weights."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError
from garden.evaluators.inception import Inception

IMAGES = np.random.default_rng(0).integers(0, 256, [5, 32, 32, 3], np.uint8)


@pytest.fixture(scope='module')
def weights():
    rng = np.random.default_rng(1)
    return [rng.normal(size=s).astype(np.float32) / 100 for s in ([27, 2048], [2048, 1008])]


@pytest.fixture(scope='module')
def graph_file(weights, tmp_path_factory):
    """A graph with the names of the real one: 3 x 3 means in the place of the network."""
    with tf.Graph().as_default() as graph:
        images = tf.compat.v1.placeholder(tf.float32, [1, None, None, 3], name='ExpandDims')
        small = tf.compat.v1.image.resize_bilinear(images, [3, 3])
        pixels = tf.reshape((small - 128) / 128, [-1, 27])
        pool = tf.reshape(pixels @ weights[0], [-1, 1, 1, 2048], name='pool_3')
        flat = tf.reshape(pool, [1, 2048])  # As in the real one: for one image.
        tf.matmul(flat, tf.constant(weights[1]), name='softmax/logits/MatMul')
    path = tmp_path_factory.mktemp('graph') / 'classify_image_graph_def.pb'
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_the_graph_of_2015_gives_figures_by_their_own_names(graph_file, weights):
    network = Inception(str(graph_file), batch_size=2)
    assert network.metrics == ('fid', 'kid', 'inception_score')
    features, probabilities = network(IMAGES)
    small = tf.compat.v1.image.resize_bilinear(IMAGES.astype(np.float32), [3, 3]).numpy()
    expected = (small.reshape(5, 27) - 128) / 128 @ weights[0]
    np.testing.assert_allclose(features, expected, rtol=1e-4, atol=1e-5)
    logits = expected @ weights[1]
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities, softmax, rtol=1e-4)


def test_grey_images_are_seen_as_grey(graph_file):
    network = Inception(str(graph_file))
    grey = IMAGES[..., :1]
    np.testing.assert_array_equal(network(grey)[0], network(np.repeat(grey, 3, -1))[0])


@pytest.mark.slow
def test_weights_of_keras_give_figures_that_say_so(tmp_path):
    model = keras.applications.InceptionV3(weights=None)
    path = tmp_path / 'inception_v3_weights_tf_dim_ordering_tf_kernels.h5'
    model.save_weights(path)
    network = Inception(str(path))
    assert network.metrics == ('fid_keras_v3', 'kid_keras_v3', 'score_keras_v3')
    features, probabilities = network(IMAGES)
    assert features.shape == (5, 2048)
    resized = tf.image.resize(IMAGES.astype(np.float32), [299, 299])
    expected = model(keras.applications.inception_v3.preprocess_input(resized), training=False)
    np.testing.assert_allclose(probabilities, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_weights_of_another_keras_network_are_refused(tmp_path):
    path = tmp_path / 'small.h5'
    keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)]).save_weights(path)
    network = Inception(str(path))
    with pytest.raises(UserError, match='neither of the known files'):
        network(IMAGES)


def test_anything_else_is_refused_at_once(tmp_path):
    archive = tmp_path / 'pt_inception-2015-12-05.pth'
    archive.write_bytes(b'PK\x03\x04' + bytes(100))
    with tf.Graph().as_default() as graph:
        tf.compat.v1.placeholder(tf.float32, name='ExpandDims')
    other = tmp_path / 'other.pb'
    other.write_bytes(graph.as_graph_def().SerializeToString())
    for path in (archive, other):
        with pytest.raises(UserError, match='neither of the known files') as caught:
            Inception(str(path))
        assert '\n' not in str(caught.value)
    with pytest.raises(UserError, match=r'missing\.pb cannot be read'):
        Inception(str(tmp_path / 'missing.pb'))
