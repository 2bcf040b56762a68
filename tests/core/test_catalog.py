"""What the scan of source text knows of the registered names, and that it imports nothing."""

import ast
import subprocess
import sys
import textwrap
import time

import pytest

import garden
from garden.core import catalog
from garden.core.errors import UserError


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Returns a function that installs a package of the given modules, with an entry point."""

    def forget():
        catalog.scan.cache_clear()
        catalog._modules.cache_clear()
        for module in [m for m in sys.modules if m.split('.')[0] == 'grove']:
            del sys.modules[module]

    def install(entry_point='grove', **modules):
        folder = tmp_path / 'grove'
        folder.mkdir()
        for name, text in {'__init__': '', **modules}.items():
            (folder / f'{name}.py').write_text(textwrap.dedent(text).lstrip())
        metadata = tmp_path / 'grove-1.dist-info'
        metadata.mkdir()
        (metadata / 'METADATA').write_text('Metadata-Version: 2.1\nName: grove\nVersion: 1\n')
        (metadata / 'entry_points.txt').write_text(f'[garden.systems]\ngrove = {entry_point}\n')
        monkeypatch.syspath_prepend(tmp_path)
        forget()
        return folder

    yield install
    forget()


def parameters(entry):
    return [(p.name, p.has_default, p.annotation) for p in entry.parameters]


def test_a_registered_class_is_found_with_place_summary_and_parameters(package):
    folder = package(
        trees="""
        from garden import register

        @register('models', 'oak')
        class Oak:
            '''An oak.

            It is old.
            '''

            def __init__(self, rings: int, *, leaves: 'float' = 1.0, name=None):
                pass
        """
    )
    oak = catalog.scan()['models.oak']
    assert (oak.kind, oak.name, oak.module) == ('models', 'oak', 'grove.trees')
    assert oak.place == f'{folder / "trees.py"}:3'
    assert oak.summary == 'An oak.'
    assert parameters(oak) == [
        ('rings', False, 'int'),
        ('leaves', True, "'float'"),
        ('name', True, None),
    ]
    assert 'grove.trees' not in sys.modules


def test_functions_and_every_way_to_write_the_decorator_are_found(package):
    package(
        forest="""
        import garden
        from garden.core import registry
        from garden.core.registry import register

        @registry.register('models', 'ash')
        def ash(height, width=3): pass

        @garden.register(
            'sources',
            'acorns',
        )
        # A comment between.
        @other.decorator
        class Acorns: pass

        @register(kind='schedules', name='seasons')
        def seasons(): pass
        """
    )
    found = catalog.scan()
    assert {'models.ash', 'sources.acorns', 'schedules.seasons'} <= set(found)
    assert parameters(found['models.ash']) == [('height', False, None), ('width', True, None)]


def test_examples_in_docstrings_and_other_registers_are_left_alone(package):
    package(
        notes='''
        """How to register.

        @register('models', 'example')
        class Example: pass
        """

        import atexit

        @atexit.register
        def leave(): pass

        @register('no such kind', 'thing')
        class Thing: pass

        def inner():
            @register('models', 'local')
            class Local: pass
        '''
    )
    assert not {'models.example', 'models.local'} & set(catalog.scan())
    assert not [name for name in catalog.scan() if 'thing' in name or 'leave' in name]


def test_constructors_are_inherited_and_dataclass_fields_are_parameters(package):
    package(
        roots="""
        import abc
        import dataclasses
        from typing import ClassVar

        class Plant(abc.ABC):
            def __init__(self, height: int = 2): pass

        @dataclasses.dataclass
        class Soil:
            depth: float
            kind: ClassVar[str] = 'loam'
        """,
        stems="""
        import dataclasses

        import tensorflow as tf
        from garden import register
        from grove import roots
        from grove.roots import Plant as Base

        @register('models', 'inherited')
        class Inherited(Base): pass

        @register('models', 'dotted')
        class Dotted(roots.Plant): pass

        @register('models', 'empty')
        class Empty: pass

        @register('models', 'foreign')
        class Foreign(tf.Module): pass

        @register('models', 'bed')
        @dataclasses.dataclass(frozen=True)
        class Bed(roots.Soil):
            area: int = 3
            rows: list = dataclasses.field(default_factory=list)
            made: int = dataclasses.field(init=False)
            must: int = dataclasses.field(kw_only=True)
        """,
    )
    found = catalog.scan()
    assert parameters(found['models.inherited']) == [('height', True, 'int')]
    assert parameters(found['models.dotted']) == [('height', True, 'int')]
    assert parameters(found['models.empty']) == []
    assert found['models.foreign'].parameters is None
    assert parameters(found['models.bed']) == [
        ('depth', False, 'float'),
        ('area', True, 'int'),
        ('rows', True, 'list'),
        ('must', False, 'int'),
    ]


def test_gin_decorators_are_known_too(package):
    package(
        entry="""
        import gin

        @gin.configurable(module='grove', denylist=['secret'])
        def start(secret, phases=gin.REQUIRED, seed=0): pass

        @gin.register('leaf', module='grove')
        class Leaf: pass
        """
    )
    found = catalog.scan()
    assert parameters(found['grove.start']) == [('phases', False, None), ('seed', True, None)]
    assert found['grove.leaf'].definition == 'Leaf'


def test_one_name_twice_names_both_places(package):
    text = "from garden import register\n@register('models', 'twin')\nclass Twin: pass\n"
    folder = package(one=text, two=text)
    with pytest.raises(UserError) as error:
        catalog.scan()
    assert 'models.twin is registered twice' in str(error.value)
    assert f'{folder / "one.py"}:2' in str(error.value)
    assert f'{folder / "two.py"}:2' in str(error.value)


def test_a_file_with_an_error_hides_neither_others_nor_itself(package):
    package(
        good="from garden import register\n@register('models', 'good')\nclass Good: pass\n",
        bad="from garden import register\n@register('models', 'bad')\nclass Bad: pass\n\nx = = 3\n",
    )
    assert catalog.scan()['models.good'].parameters == ()
    assert catalog.scan()['models.bad'].parameters is None


def test_an_entry_point_may_name_one_module(package):
    package('grove.birch', birch="@register('models', 'birch')\nclass Birch: pass\n", other='')
    assert catalog.scan()['models.birch'].module == 'grove.birch'
    assert catalog.covers('grove.birch')
    assert not catalog.covers('grove.other')


def test_an_entry_point_to_nowhere_is_named(package):
    package('grove.gone')
    with pytest.raises(UserError, match=r"entry point 'grove = grove\.gone' .* not installed"):
        catalog.scan()


def test_the_registry_finds_names_whose_modules_are_not_imported(package):
    package(
        willow="from garden import register\n@register('models', 'willow')\nclass Willow: pass\n"
    )
    assert 'willow' in garden.names('models')
    assert 'grove.willow' not in sys.modules
    assert garden.get('models', 'willow').__module__ == 'grove.willow'
    with pytest.raises(LookupError, match=r'Did you mean willow'):
        garden.get('models', 'wilow')


def test_registering_is_possible_after_a_configuration_was_finalised(package):
    import gin

    package(yew="from garden import register\n@register('models', 'yew')\nclass Yew: pass\n")
    gin.finalize()
    assert garden.get('models', 'yew').__name__ == 'Yew'
    assert gin.config_is_locked()


def test_the_scan_agrees_with_the_parameters_that_python_sees():
    """Of everything in Garden that the source text suffices for."""
    import importlib
    import inspect

    known = {n: e for n, e in catalog.scan().items() if e.module.startswith('garden.')}
    assert known
    for name, entry in known.items():
        obj = getattr(importlib.import_module(entry.module), entry.definition)
        seen = [p for p in inspect.signature(obj).parameters if p not in entry.hidden]
        if entry.parameters is not None:
            assert [p.name for p in entry.parameters] == seen, name


def test_a_hundred_files_take_less_than_50_ms(package):
    body = '\n'.join(f'def f{i}(a, b):\n    """Adds."""\n    return a + b\n' for i in range(50))
    text = "from garden import register\n{}\n@register('models', 'm{}')\nclass M: pass\n"
    package(**{f'module_{i}': text.format(body, i) for i in range(100)})
    ast.parse('warm = up')
    start = time.process_time()
    assert 'models.m99' in catalog.scan()
    assert time.process_time() - start < 0.05


def test_the_scan_imports_no_tensorflow():
    script = 'import sys, garden; garden.names("models"); print("tensorflow" in sys.modules)'
    done = subprocess.run(
        [sys.executable, '-c', script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == 'False'
