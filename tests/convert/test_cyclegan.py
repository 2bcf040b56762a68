"""CycleGAN's networks give the outputs of PyTorch's here, for weights that a seed makes."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import seeded
import tensorflow as tf

from garden import registry
from garden.convert import layout, weight_file
from garden.core.errors import UserError
from garden.layers.padded_conv import CroppedConvTranspose2D

REFERENCES = Path(__file__).parent / 'data' / 'cyclegan_references.npz'
CASES = {
    'resnet_6blocks': ('cyclegan_generator', {'blocks': 6}),
    'resnet_9blocks': ('cyclegan_generator', {'blocks': 9}),
    'n_layers': ('patchgan', {}),
}
TOLERANCE = 1e-4


def reference(case, what='output'):
    with np.load(REFERENCES) as file:
        return file[f'{case} {what}']


def source_shapes(model, table):
    """Returns names and shapes of the tensors that the authors' code would save for this model."""
    shapes = {}
    for name, variable in layout.names(model).items():
        shape = tuple(variable.shape)
        if name.endswith('.kernel'):
            shape = (*shape[:-3:-1], *shape[:-2])
        shapes[table.tensor_name(name)] = shape
    return shapes


def converted(case, folder):
    name, settings = CASES[case]
    model = registry.get('models', name)(**settings)
    layouts = registry.get('converters', name)()
    shapes = source_shapes(model, layouts[case])
    assert seeded.digest(shapes) == reference(case, 'names')
    tensors = seeded.tensors(shapes)
    # Files of before PyTorch 0.4 hold statistics, which are for nothing.
    tensors['model.2.running_mean'] = np.zeros(64, np.float32)
    path = folder / 'weights.safetensors'
    safetensors.numpy.save_file(tensors, path)
    filled = layout.fill(model, layouts, weight_file.read(path))
    assert filled.layout == case
    return model


@pytest.mark.parametrize('case', CASES)
def test_converted_weights_give_the_output_of_pytorch(case, tmp_path):
    model = converted(case, tmp_path)
    images = seeded.images(1, 64)
    wanted = reference(case)
    assert wanted.std() > 0.4  # Else the tolerance would say little.
    np.testing.assert_allclose(model(images), wanted, rtol=0, atol=TOLERANCE)


def test_a_transposed_convolution_that_crops_at_the_end_would_give_another(tmp_path, monkeypatch):
    def same(self, inputs):
        return super(CroppedConvTranspose2D, self).call(inputs)[:, :-1, :-1]

    model = converted('resnet_6blocks', tmp_path)
    monkeypatch.setattr(CroppedConvTranspose2D, 'call', same)
    images = tf.constant(seeded.images(1, 64))
    assert np.abs(model(images) - reference('resnet_6blocks')).max() > 100 * TOLERANCE


def test_a_generator_with_another_number_of_blocks_is_refused(tmp_path):
    make = registry.get('models', 'cyclegan_generator')
    layouts = registry.get('converters', 'cyclegan_generator')()
    weights = seeded.tensors(source_shapes(make(blocks=9), layouts['resnet_9blocks']))
    with pytest.raises(UserError, match='another model'):
        layout.fill(make(blocks=6), layouts, weights)
