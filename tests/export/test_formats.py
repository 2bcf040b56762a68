"""What is exported to TFLite and ONNX computes what the SavedModel does, or is not kept."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from etils import epath

from garden.cli.launch import main
from garden.core.errors import UserError
from garden.core.feed import Feed
from garden.core.task import Task
from garden.export import formats, onnx_graph, saved_model
from garden.export.card import Card
from garden.export.inputs import real_inputs
from garden.layers.grouped_conv import GroupedConv2D

SIDE, CLASSES = 8, 5
IMAGE = tf.TensorSpec([None, SIDE, SIDE, 4], tf.float32, name='image')

ALONE = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('garden', 'gin', 'tensorflow', 'tf_keras', 'keras', 'orbit'):
            raise ImportError(f'{name} is not to be had here')

sys.meta_path.insert(0, Refuse())
import numpy as np
from ai_edge_litert.interpreter import Interpreter

given = np.load(sys.argv[2])['image']
run = Interpreter(sys.argv[1]).get_signature_runner()
np.savez(sys.argv[3], one=run(image=given[:1])['logits'], all=run(image=given)['logits'])
"""


class System(Task):
    """A classifier with grouped convolutions, and signatures of which some cannot be converted."""

    def __init__(self):
        super().__init__()
        keras.utils.set_random_seed(0)
        self.network = keras.Sequential(
            [
                GroupedConv2D(8, 3, groups=2),
                keras.layers.ReLU(),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(CLASSES, bias_initializer='random_normal'),
            ]
        )
        self.network(tf.zeros([1, *IMAGE.shape[1:]]))

    def train_data(self, feed):
        raise NotImplementedError

    def train_step(self, batch, seed):
        raise NotImplementedError

    def eval_data(self, feed):
        images = np.random.default_rng(feed.seed).uniform(0, 1, (50, *IMAGE.shape[1:]))
        # The last examples only pad their batch: their values would spoil every range.
        images[40:] = 1e6
        data = {'image': images.astype(np.float32), 'mask': np.arange(50) < 40}
        return tf.data.Dataset.from_tensor_slices(data).batch(16)

    def signatures(self):
        def signature(function, *specs):
            return tf.function(function, input_signature=specs)

        def noisy(image):
            seed = tf.cast(100 * image[0, 0, 0, :2], tf.int32)
            noise = tf.random.stateless_normal([CLASSES], seed)
            return {'logits': self.network(image) + noise}

        def cancelled(image):
            large = 1000 * tf.reduce_mean(image, [1, 2])
            return {'one': tf.nn.relu(large + 1) - tf.nn.relu(large)}

        def named(picture):
            return {'size': tf.strings.length(picture)}

        def drawn(image):
            return {'picture': tf.saturate_cast(255 * image[..., :3], tf.uint8)}

        classify = signature(lambda image: {'logits': self.network(image)}, IMAGE)
        return {
            'serving_default': classify,
            'classify': classify,
            'noisy': signature(noisy, IMAGE),
            'cancelled': signature(cancelled, IMAGE),
            'echo': signature(lambda image: {'image': -image}, IMAGE),
            'named': signature(named, tf.TensorSpec([None], tf.string, name='picture')),
            'drawn': signature(drawn, IMAGE),
            'sample': signature(lambda num: {'n': num + 1}, tf.TensorSpec([], tf.int32, 'num')),
        }


@pytest.fixture(scope='module')
def system():
    return System()


@pytest.fixture(scope='module')
def made(system, tmp_path_factory):
    """The folder, and what became of each format."""
    folder = epath.Path(tmp_path_factory.mktemp('export'))
    signatures = saved_model.trace(system.signatures())
    saved_model.write(signatures, folder / 'saved_model')
    return folder, formats.convert_all(
        list(formats.FORMATS), system, signatures, Feed(seed=3), folder
    )


@pytest.fixture(scope='module')
def images():
    return np.random.default_rng(7).uniform(0, 1, (7, *IMAGE.shape[1:])).astype(np.float32)


def test_tflite_runs_where_there_is_only_litert(made, system, images, tmp_path):
    np.savez(tmp_path / 'given.npz', image=images)
    files = [made[0] / 'tflite/classify.tflite', tmp_path / 'given.npz', tmp_path / 'found.npz']
    done = subprocess.run(
        [sys.executable, '-c', ALONE, *map(str, files)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    expected = system.network(images).numpy()
    found = np.load(tmp_path / 'found.npz')
    np.testing.assert_allclose(found['one'], expected[:1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found['all'], expected, rtol=1e-4, atol=1e-5)


def test_onnx_runs_with_any_batch(made, system, images):
    onnxruntime = pytest.importorskip('onnxruntime')
    session = onnxruntime.InferenceSession(str(made[0] / 'onnx/classify.onnx'))
    (given,) = session.get_inputs()
    assert (given.name, given.shape) == ('image', ['batch', SIDE, SIDE, 4])
    for count in (1, 7):
        (logits,) = session.run(['logits'], {'image': images[:count]})
        expected = system.network(images[:count]).numpy()
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


def test_an_output_of_onnx_that_is_called_as_an_input_gets_another_name(made, images):
    onnxruntime = pytest.importorskip('onnxruntime')
    session = onnxruntime.InferenceSession(str(made[0] / 'onnx/echo.onnx'))
    (echo,) = session.run(['image_out'], {'image': images})
    np.testing.assert_array_equal(echo, -images)


def test_int8_computes_in_whole_numbers_and_learnt_its_ranges_from_real_examples(made, images):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(made[0] / 'tflite_int8/classify.tflite'))
    interpreter.allocate_tensors()
    ends = [end['index'] for end in interpreter.get_input_details()]
    ends += [end['index'] for end in interpreter.get_output_details()]
    inner = [one for one in interpreter.get_tensor_details() if one['index'] not in ends]
    assert {np.dtype(one['dtype']).name for one in inner} <= {'int8', 'int32'}
    # The range of the input is that of the examples, not that of what pads them.
    scales = [one['quantization'][0] for one in inner if one['name'].startswith('tfl.quantize')]
    assert max(scales, default=0) < 0.1


@pytest.mark.parametrize('kind', formats.FORMATS)
def test_what_is_said_of_closeness_is_what_the_file_does(made, system, kind):
    folder, became = made
    said = became[kind].files['classify']
    model = (folder / said['file']).read_bytes()
    assert said['bytes'] == len(model)
    assert said['examples'] == 20  # Of 40, as many calibrate.
    batches = list(system.eval_data(Feed(seed=3)).as_numpy_iterator())
    compared = np.concatenate([batch['image'] for batch in batches])[20:40]
    found = formats.FORMATS[kind].load(model)({'image': compared})['logits']
    expected = system.network(compared).numpy()
    error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
    of = said['outputs']['logits']
    assert of['relative_error'] == pytest.approx(error, rel=0.2, abs=2e-6)
    assert of['same_class'] == np.mean(found.argmax(1) == expected.argmax(1))
    assert of['relative_error'] <= became[kind].tolerance['relative_error']


def test_half_precision_and_int8_are_smaller(made):
    sizes = {kind: one.files['classify']['bytes'] for kind, one in made[1].items()}
    assert sizes['tflite_int8'] != sizes['tflite_float16'] != sizes['tflite']
    float_error, half_error, int8_error = (
        made[1][kind].files['classify']['outputs']['logits']['relative_error']
        for kind in ('tflite', 'tflite_float16', 'tflite_int8')
    )
    assert float_error < half_error < int8_error


def test_what_is_too_far_is_not_kept(made):
    folder, became = made
    assert 'the relative error of one is' in became['tflite_int8'].left_out['cancelled']
    assert not (folder / 'tflite_int8/cancelled.tflite').exists()
    assert (folder / 'tflite/cancelled.tflite').exists()


@pytest.mark.parametrize('kind', formats.FORMATS)
def test_what_is_left_out_says_why(made, kind):
    why = made[1][kind].left_out
    assert 'StatelessRandom' in why['noisy']
    assert '\n' not in why['noisy']
    assert why['serving_default'] == 'it is classify by another name'
    assert 'bytes of files' in why['named']
    assert 'pictures' in why['drawn']
    assert 'no num' in why['sample']


def test_the_card_says_what_there_is_and_what_not(made):
    blank = dict.fromkeys([field.name for field in dataclasses.fields(Card)], '')
    blank |= {'step': 1, 'metrics': {}, 'data': {}, 'signatures': {'s': {'inputs': {}}}}
    blank['signatures']['s']['outputs'] = {}
    card = Card(**blank | {'formats': {k: dataclasses.asdict(v) for k, v in made[1].items()}})
    text = card.to_markdown()
    assert '[onnx/classify.onnx](onnx/classify.onnx)' in text
    assert 'same class 100.0%' in text
    everywhere = ', '.join(formats.FORMATS)
    assert f'- named as {everywhere}: it takes the bytes of files' in text
    assert '- cancelled as tflite_int8: the relative error' in text


def test_the_measures():
    expected = {'logits': np.array([[3.0, 0.0], [0.0, 4.0]]), 'other': np.zeros([2, 1])}
    found = {'logits': np.array([[3.0, 0.0], [4.0, 1.0]]), 'other': np.zeros([2, 1])}
    measured = formats.compare(expected, found)
    # The error is (0, 0, 4, -3), of length 5 as what is expected.
    assert measured['logits'] == {'relative_error': 1.0, 'largest_error': 4.0, 'same_class': 0.5}
    assert measured['other'] == {'relative_error': 0.0, 'largest_error': 0.0}


def test_real_inputs_are_the_first_ones_without_padding(system):
    function = system.signatures()['classify'].get_concrete_function()
    first = next(iter(system.eval_data(Feed())))['image'].numpy()
    inputs = real_inputs(system, 'classify', function, Feed(), 30)
    assert inputs['image'].shape == (30, *IMAGE.shape[1:])
    np.testing.assert_array_equal(inputs['image'][:16], first)
    assert len(real_inputs(system, 'classify', function, Feed(), 99)['image']) == 40


def test_mistakes_are_told_in_one_line(monkeypatch, capfd):
    with pytest.raises(UserError, match='Did you mean tflite_int8'):
        formats.check_names(['tflite_in8'])
    monkeypatch.setattr(onnx_graph.importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match=r'garden-experiments\[onnx\]'):
        formats.check_names(['onnx'])
    assert main(['--experiment=regnety_mini', '--export_formats=onnx']) == 2
    assert 'goes with --mode=export' in capfd.readouterr().err
