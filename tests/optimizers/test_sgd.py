"""SGD in PyTorch's form, step by step against NumPy."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from garden import registry
from garden.core import optim


def reference(w, gradients, rates, momentum, nesterov, decay):
    """torch.optim.SGD with dampening 0, written down from its documentation."""
    velocity = np.zeros_like(w)
    for gradient, rate in zip(gradients, rates, strict=True):
        gradient = gradient + decay * w
        velocity = momentum * velocity + gradient
        w = w - rate * (gradient + momentum * velocity if nesterov else velocity)
    return w


@pytest.mark.parametrize('nesterov', [False, True])
@pytest.mark.parametrize('decay', [0.0, 1e-2])
def test_sgd_follows_its_formula_across_a_drop_of_the_rate(nesterov, decay):
    generator = np.random.default_rng(0)
    start = generator.normal(size=5)
    gradients = generator.normal(size=(60, 5))
    rates = np.where(np.arange(60) < 30, 0.1, 0.01)
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([29], [0.1, 0.01])
    optimizer = registry.get('optimizers', 'sgd')(
        learning_rate=schedule, momentum=0.9, nesterov=nesterov, weight_decay=decay
    )
    variable = tf.Variable(start)
    optimizer = optim.prepare(optimizer, [variable])
    for gradient in gradients:
        optimizer.apply_gradients([(tf.constant(gradient), variable)])
    expected = reference(start, gradients, rates, 0.9, nesterov, decay)
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize(('name', 'states'), [('sgd', 1), ('lamb', 3)])
def test_an_update_computes_no_decay_besides_its_own(name, states):
    """The base class of Keras would apply one of 0 to each variable, at the cost of three ops."""
    variable = tf.Variable([1.0, 2.0])
    make = registry.get('optimizers', name)
    optimizer = optim.prepare(make(learning_rate=0.1, no_decay=()), [variable])

    @tf.function
    def update(gradient):
        optimizer.apply_gradients([(gradient, variable)])

    graph = update.get_concrete_function(tf.TensorSpec([2])).graph
    kinds = [op.type for op in graph.get_operations()]
    writes = [kind for kind in kinds if kind.startswith(('Assign', 'ResourceApply'))]
    assert len(writes) == states + 1, writes  # One counts the steps.


@pytest.mark.parametrize('name', ['sgd', 'adamw', 'lamb'])
def test_decay_spares_what_it_is_told_to_by_the_type_of_layer(name):
    model = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, use_bias=True),
            keras.layers.BatchNormalization(),
            # Its name must not deceive a filter by name.
            keras.layers.Dense(2, name='batch_normalization_bias'),
        ]
    )
    model.build([None, 5, 5, 1])
    for layer in model.layers:
        layer.set_weights([w + 1.0 for w in layer.get_weights()])
    optimizer = registry.get('optimizers', name)(
        learning_rate=0.1, weight_decay=0.5, no_decay=('norm', 'bias')
    )
    variables = model.trainable_variables
    optimizer = optim.prepare(optimizer, variables, model)
    before = [v.numpy() for v in variables]
    optimizer.apply_gradients([(tf.zeros_like(v), v) for v in variables])
    shrunk = {v.name for v, b in zip(variables, before, strict=True) if not np.allclose(v, b)}
    assert shrunk == {v.name for v in variables if v.name.endswith('kernel:0')}


def test_an_unknown_kind_of_variable_is_refused():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.build([None, 1])
    optimizer = registry.get('optimizers', 'sgd')(weight_decay=0.1, no_decay=('bais',))
    with pytest.raises(ValueError, match='bais'):
        optim.prepare(optimizer, model.trainable_variables, model)


def test_a_loss_that_misses_a_variable_is_named():
    used, unused = tf.Variable(1.0, name='used'), tf.Variable(1.0, name='unused')
    optimizer = optim.prepare(registry.get('optimizers', 'sgd')(), [used, unused])
    with tf.GradientTape() as tape:
        loss = used * 2
    with pytest.raises(ValueError, match='does not depend on unused'):
        optim.apply_gradients(optimizer, tape, loss, [used, unused])


def test_a_prepared_optimizer_makes_no_variable_in_the_first_step():
    for name in registry.names('optimizers'):
        model = keras.Sequential([keras.layers.Dense(2)])
        model.build([None, 2])
        weights = model.trainable_variables
        optimizer = registry.get('optimizers', name)()
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            continue  # One for arrays.
        optimizer = optim.prepare(optimizer, weights, model)
        before = len(optimizer.variables)
        optimizer.apply_gradients([(tf.ones_like(w), w) for w in weights])
        assert len(optimizer.variables) == before, name


def test_the_configuration_rebuilds_the_optimizer():
    original = registry.get('optimizers', 'sgd')(
        learning_rate=0.3, momentum=0.8, nesterov=True, weight_decay=0.1, no_decay=('norm',)
    )
    again = type(original)(**original.get_config())
    assert again.get_config() == original.get_config()
