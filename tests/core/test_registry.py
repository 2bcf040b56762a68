"""One name for Python and for gin."""

import gin
import pytest

import garden
from garden import registry
from garden.core.catalog import KINDS


@pytest.fixture(autouse=True)
def scratch(monkeypatch):
    """Lets a test register without leaving names behind."""
    for kind in KINDS:
        monkeypatch.setitem(registry._TABLE, kind, dict(registry._TABLE[kind]))
    names = gin.config._REGISTRY._selector_map.copy()
    tree = {**gin.config._REGISTRY._selector_tree}
    yield
    gin.config._REGISTRY._selector_map = names
    gin.config._REGISTRY._selector_tree = tree


def test_the_registered_class_stays_as_it_is():
    class Plain:
        def __init__(self, width: int = 3):
            self.width = width

    assert registry.register('models', 'scratch_plain')(Plain) is Plain
    gin.parse_config('models.scratch_plain.width = 7')
    assert Plain().width == 3
    assert registry.get('models', 'scratch_plain') is Plain


def test_gin_makes_it_with_its_bindings():
    @registry.register('models', 'scratch_bound')
    class Bound:
        def __init__(self, width: int = 3):
            self.width = width

    @gin.configurable
    def scratch_take(model=None):
        return model

    gin.parse_config('scratch_take.model = @models.scratch_bound()\nmodels.scratch_bound.width = 7')
    made = scratch_take()
    assert isinstance(made, Bound)
    assert made.width == 7


def test_a_name_that_is_taken_is_refused_and_both_places_are_named():
    def scratch_first():
        pass

    def scratch_second():
        pass

    registry.register('models', 'scratch_taken')(scratch_first)
    with pytest.raises(ValueError, match='registered twice') as caught:
        registry.register('models', 'scratch_taken')(scratch_second)
    assert 'scratch_first' in str(caught.value)
    assert 'scratch_second' in str(caught.value)
    assert str(caught.value).count('test_registry.py:') == 2


def test_the_same_definition_may_be_run_again():
    def define():
        def scratch_again(width: int = 1):
            return width

        return registry.register('models', 'scratch_again')(scratch_again)

    define()
    second = define()
    assert registry.get('models', 'scratch_again') is second


@pytest.mark.parametrize('signature', ['*values', '**settings'])
def test_signatures_that_swallow_misspelt_bindings_are_refused(signature):
    scope = {}
    exec(f'def scratch_swallow({signature}): pass', scope)
    with pytest.raises(TypeError, match='spell its parameters out'):
        registry.register('models', 'scratch_swallow')(scope['scratch_swallow'])


@pytest.mark.parametrize('name', ['resnet-50', '3d', 'a/b', ''])
def test_names_are_identifiers(name):
    with pytest.raises(ValueError, match='identifier'):
        registry.register('models', name)


def test_an_unknown_kind_suggests_the_nearest():
    with pytest.raises(ValueError, match='Did you mean models'):
        registry.get('model', 'regnety')


def test_an_unknown_name_suggests_the_nearest_and_says_where_to_look():
    with pytest.raises(LookupError, match='Did you mean regnet') as caught:
        registry.get('models', 'regnet_y')
    assert "garden.names('models')" in str(caught.value)
    assert 'imported' in str(caught.value)


def test_a_name_is_enough_to_get_what_was_not_imported():
    from garden.models.regnet import regnety

    assert garden.get('models', 'regnety') is regnety


def test_names_lists_what_was_not_imported():
    assert {'regnetx', 'regnety'} <= set(garden.names('models'))
    assert 'image_classification' in garden.names('tasks')
    assert {'adam', 'adamw', 'sgd'} <= set(garden.names('optimizers'))


def test_the_contract_is_a_public_name():
    from garden.core.task import Task

    assert garden.Task is Task
    with pytest.raises(AttributeError, match='no attribute'):
        garden.Tusk  # noqa: B018
