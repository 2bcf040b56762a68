import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.optimizers.numpy_adam import NumpyAdam


def test_ten_updates_are_those_of_keras():
    rng = np.random.default_rng(0)
    parameters = {name: rng.normal(size=shape) for name, shape in (('w', (3, 4)), ('b', (4,)))}
    # Keras keeps settings as float32, which has these exactly.
    settings = {'learning_rate': 2**-7, 'beta_1': 0.5, 'beta_2': 1 - 2**-9, 'epsilon': 1e-8}
    adam, theirs = NumpyAdam(**settings), keras.optimizers.Adam(**settings)
    variables = {name: tf.Variable(value) for name, value in parameters.items()}
    theirs.build(list(variables.values()))
    state = adam.initial(parameters)
    for _ in range(10):
        gradients = {name: rng.normal(size=value.shape) for name, value in parameters.items()}
        before = {name: value.copy() for name, value in parameters.items()}
        given = parameters
        parameters, state = adam.update(given, gradients, state)
        for name in before:
            np.testing.assert_array_equal(given[name], before[name])
        theirs.apply_gradients([(tf.constant(gradients[n]), variables[n]) for n in variables])
        for name, variable in variables.items():
            np.testing.assert_allclose(parameters[name], variable.numpy(), rtol=0, atol=1e-12)


def test_float32_stays_float32():
    parameters = {'w': np.ones(3, np.float32)}
    adam = NumpyAdam()
    moved, state = adam.update(parameters, parameters, adam.initial(parameters))
    assert moved['w'].dtype == state['m.w'].dtype == np.float32
