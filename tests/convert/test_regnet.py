"""RegNets of three projects give their logits here, for weights that a seed makes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import seeded
import tensorflow as tf
import tf_keras as keras

from garden import registry
from garden.convert import layout, weight_file
from garden.core.errors import UserError
from garden.layers import grouped_conv

REFERENCES = Path(__file__).parent / 'data' / 'regnet_references.npz'
# What make_regnet_references.py computed: project, family, variant, width rounding.
CASES = [
    ('timm', 'regnety', '200mf', 'pycls'),
    ('timm', 'regnety', '400mf', 'pycls'),
    ('timm', 'regnety', '800mf', 'pycls'),
    ('timm', 'regnety', '800mf', 'torchvision'),
    ('timm', 'regnetx', '400mf', 'pycls'),
    ('timm', 'regnetx', '8.0gf', 'pycls'),
    ('pycls', 'regnety', '200mf', 'pycls'),
    ('pycls', 'regnety', '400mf', 'pycls'),
    ('pycls', 'regnety', '800mf', 'pycls'),
    ('pycls', 'regnetx', '400mf', 'pycls'),
    ('pycls', 'regnetx', '8.0gf', 'pycls'),
    ('torchvision', 'regnety', '400mf', 'torchvision'),
    ('torchvision', 'regnety', '800mf', 'torchvision'),
    ('torchvision', 'regnetx', '400mf', 'torchvision'),
    ('torchvision', 'regnetx', '8.0gf', 'torchvision'),
]
FAST = {0, 7, 12}
TOLERANCE = 1e-4
MINI = {'variant': None, 'depth': 4, 'w_0': 24, 'w_a': 16.0, 'w_m': 2.0, 'group_width': 8}


def reference(case, what='logits'):
    with np.load(REFERENCES) as file:
        return file[f'{" ".join(case)} {what}']


def converters(family):
    return registry.get('converters', family)()


def source_shapes(model, project, family):
    """Returns names and shapes of the tensors that the project would save for this model."""
    table = converters(family)[project]
    shapes = {}
    for name, variable in layout.names(model).items():
        shape = tuple(variable.shape)
        if name.endswith('.kernel'):
            shape = (*shape[:-3:-1], *shape[:-2])
        shapes[table.tensor_name(name)] = shape
        if name.endswith('.gamma'):  # PyTorch counts batches.
            count = table.tensor_name(name).rpartition('.')[0] + '.num_batches_tracked'
            shapes[count] = ()
    return shapes


def converted(case, folder):
    """Returns a model with the weights of a file that has the project's names."""
    project, family, variant, rounding = case
    model = registry.get('models', family)(variant, width_rounding=rounding)
    shapes = source_shapes(model, project, family)
    assert seeded.digest(shapes) == reference(case, 'names')
    path = folder / 'weights.safetensors'
    safetensors.numpy.save_file(seeded.tensors(shapes), path)
    filled = layout.fill(model, converters(family), weight_file.read(path))
    assert filled.layout == project
    assert len(filled.used) == len(model.variables)
    return model


def assert_equal_logits(logits, case):
    wanted = reference(case)
    assert wanted.std() > 0.4  # Else the tolerance would say little.
    np.testing.assert_allclose(logits, wanted, rtol=0, atol=TOLERANCE)


def export(model, path, implementation='split'):
    module = tf.Module()
    module.model = model
    spec = tf.TensorSpec([None, None, None, 3])
    module.classify = tf.function(lambda images: model(images, training=False), [spec])
    with grouped_conv.prefer(implementation):
        tf.saved_model.save(module, str(path))


@pytest.mark.parametrize(
    'case',
    [
        pytest.param(case, id='-'.join(case), marks=[] if i in FAST else pytest.mark.slow)
        for i, case in enumerate(CASES)
    ],
)
def test_converted_weights_give_the_logits_of_the_original(case, tmp_path):
    model = converted(case, tmp_path)
    images = seeded.images()
    assert_equal_logits(model(images), case)
    assert_equal_logits(tf.function(model)(images, training=False), case)


# One of each family and rounding in CI: a trace and a SavedModel of each take their time.
EXPORTED = [
    pytest.param(case, id='-'.join(case), marks=[pytest.mark.exhaustive] if rest else [])
    for case, rest in zip(
        [case for case in CASES if case[0] == 'timm'], [0, 1, 1, 0, 0, 1], strict=True
    )
]


@pytest.mark.slow
@pytest.mark.parametrize('case', EXPORTED)
def test_an_exported_model_gives_the_logits_of_the_original(case, tmp_path):
    export(converted(case, tmp_path), tmp_path / 'export')
    exported = tf.saved_model.load(str(tmp_path / 'export'))
    assert_equal_logits(exported.classify(seeded.images()), case)


def test_padding_as_tensorflow_has_it_would_give_other_logits(tmp_path, monkeypatch):
    def same(inputs, kernel, strides, *_):
        return tf.nn.conv2d(inputs, kernel, strides, 'SAME')

    model = converted(CASES[0], tmp_path)
    monkeypatch.setattr(grouped_conv, 'grouped_conv2d', same)
    assert np.abs(model(seeded.images()) - reference(CASES[0])).max() > 100 * TOLERANCE


def test_colours_of_pycls_are_turned_round(tmp_path):
    """Its networks take blue first: without the turn, logits are others by far."""
    model = converted(CASES[7], tmp_path)
    wrong = model(seeded.images()[..., ::-1])
    assert np.abs(wrong - reference(CASES[7])).max() > 100 * TOLERANCE


@pytest.mark.parametrize('project', ['timm', 'pycls', 'torchvision'])
def test_a_file_of_another_variant_is_refused_in_one_line(project):
    make = registry.get('models', 'regnety')
    weights = seeded.tensors(source_shapes(make(**MINI), project, 'regnety'))
    for change in ({'depth': 5}, {'w_0': 32}, {'num_classes': 7}):
        with pytest.raises(UserError) as error:
            layout.fill(make(**(MINI | change)), converters('regnety'), weights)
        assert '\n' not in str(error.value)
    layout.fill(make(**MINI), converters('regnety'), weights)
    headless = make(**MINI, num_classes=7)
    layout.fill(headless, converters('regnety'), weights, leave_out=['head'])
    with pytest.raises(UserError, match='another model'):
        layout.fill(registry.get('models', 'regnetx')(**MINI), converters('regnetx'), weights)


@pytest.mark.slow
def test_an_export_runs_where_there_is_no_onednn(tmp_path):
    """A graph with native grouped convolutions does not: TensorFlow fuses and then refuses them."""
    keras.utils.set_random_seed(0)
    model = registry.get('models', 'regnety')(**MINI)
    images = seeded.images(1, 64)
    np.save(tmp_path / 'images.npy', images)
    program = """
import numpy as np, os, sys, tensorflow as tf
os.chdir(sys.argv[1])
exported = tf.saved_model.load(sys.argv[2])
np.save('logits.npy', exported.classify(np.load('images.npy')))
"""
    environment = {**os.environ, 'TF_ENABLE_ONEDNN_OPTS': '0'}
    for implementation in ('split', 'native'):
        export(model, tmp_path / implementation, implementation)
        done = subprocess.run(
            [sys.executable, '-c', program, str(tmp_path), implementation],
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        if implementation == 'split':
            assert done.returncode == 0, done.stderr
            found = np.load(tmp_path / 'logits.npy')
            np.testing.assert_allclose(found, model(images), atol=1e-5)
        else:
            assert 'grouped convolution' in done.stderr
