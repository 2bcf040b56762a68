"""A configuration read as text says of its phases what gin makes of it."""

import dataclasses

import gin
import pytest

import garden.engine.experiment  # noqa: F401
from garden.engine import config
from garden.report.settings import PhaseSettings, Settings

TWO = """\
steps = 40
twice = %steps

garden.experiment.phases = [@first/garden.phase(), @second/inner/garden.phase()]
garden.phase.targets = ('psnr >= 30',)
first/garden.phase.name = 'a'
second/garden.phase.name = 'b'
second/garden.phase.targets = ('fid <= 9',)
garden.phase.train_steps = %steps
second/inner/garden.phase.train_steps = %twice
second/garden.phase.best_mode = 'min'
"""


def same(settings, made):
    """Asserts that settings are those of a `Phase`."""
    for field in dataclasses.fields(PhaseSettings):
        told, value = getattr(settings, field.name), getattr(made, field.name)
        assert (list(told) == list(value)) if field.name == 'targets' else told == value


def test_scopes_and_macros_are_those_of_gin():
    found = Settings(TWO).phases
    assert [phase.name for phase in found] == ['a', 'b']
    gin.parse_config(TWO)
    for settings, scope in zip(found, ('first', 'second/inner'), strict=True):
        with gin.config_scope(scope):
            same(settings, gin.get_configurable('garden.phase')(task=None))


@pytest.mark.parametrize('name', ['regnety_mini', 'dcgan_mini', 'siren_audio_mini'])
def test_it_reads_what_a_run_stores(name):
    (settings,) = Settings(config.load(name).text).phases
    same(settings, gin.get_configurable('garden.phase')())


@pytest.mark.parametrize(
    ('text', 'problem'),
    [('', ''), ('a = (', 'config.gin: a bracket or a quotation mark is not closed.')],
)
def test_without_a_readable_configuration_there_are_no_phases(text, problem):
    settings = Settings(text)
    assert settings.phases == []
    assert settings.problem == problem


def test_phases_of_another_make_are_left_to_the_metrics():
    assert Settings('garden.experiment.phases = @pond.phases()\n').phases == []
    assert Settings('garden.experiment.phases = [@pond.phase()]\n').phases == []


def test_a_macro_of_itself_has_no_value():
    text = 'n = %n\ngarden.experiment.phases = [@garden.phase()]\ngarden.phase.train_steps = %n\n'
    assert Settings(text).phases == [PhaseSettings('main')]
