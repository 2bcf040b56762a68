"""Configurations of the Model Garden: a registered experiment, changed by files and overrides.

An experiment is known to the Model Garden once its module is imported: its own are imported here,
those of others by an import line in the gin file.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import yaml
from etils import epath
from official.common import registry_imports as _registered  # noqa: F401
from official.core import exp_factory
from official.core.config_definitions import ExperimentConfig
from official.modeling.hyperparams import ParamsDict

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register

_SHOWN = 12

# What the engine asks for, and where the Model Garden says it.
_SCHEDULE: Mapping[str, Callable[[ExperimentConfig], Any]] = {
    'train_steps': lambda config: config.trainer.train_steps,
    'steps_per_loop': lambda config: config.trainer.steps_per_loop,
    'eval_steps': lambda config: config.trainer.validation_steps or -1,
    'eval_interval': lambda config: config.trainer.validation_interval,
    'checkpoint_interval': lambda config: config.trainer.checkpoint_interval,
    'keep_checkpoints': lambda config: config.trainer.max_to_keep,
    'best_metric': lambda config: metric_name(config.trainer.best_checkpoint_eval_metric) or None,
    'best_mode': lambda config: (
        'min' if config.trainer.best_checkpoint_metric_comp == 'lower' else 'max'
    ),
    'precision': lambda config: {
        'float16': 'mixed_float16',
        'bfloat16': 'mixed_bfloat16',
    }.get(config.runtime.mixed_precision_dtype, 'float32'),
}


def load(
    experiment: str,
    overrides: Mapping[str, Any] | None = None,
    config_files: Sequence[str] = (),
) -> ExperimentConfig:
    """Returns the configuration of an experiment, changed by files and then by overrides.

    Args:
      experiment: the registered name, e.g. 'resnet_imagenet' or 'bert/sentence_prediction'.
      overrides: values by dotted name, e.g. {'task.train_data.global_batch_size': 64}; a value may
        be a mapping that says more of it.
      config_files: YAML files as the Model Garden's --config_file takes them.

    Raises:
      UserError: if there is no such experiment, file or setting, or a setting takes something else.
    """
    known = sorted(_names(exp_factory._REGISTERED_CONFIGS))
    if experiment not in known:
        raise UserError(
            f'The Model Garden has no experiment {experiment!r}.{did_you_mean(experiment, known)} '
            f'It has {", ".join(known[:_SHOWN])} and {len(known) - _SHOWN} more; one of your own '
            'needs an import of its module in the gin file.'
        )
    config = exp_factory.get_exp_config(experiment)
    for path in config_files:
        _change(config, _read(path), experiment, path)
    _change(config, overrides or {}, experiment, 'overrides')
    try:
        config.validate()
    except (KeyError, ValueError) as error:
        raise UserError(f'{experiment} of the Model Garden: {line(error)}') from error
    return config


@register('schedules', 'model_garden')
def schedule(
    experiment: str,
    setting: str,
    overrides: Mapping[str, Any] | None = None,
    config_files: Sequence[str] = (),
) -> Any:
    """Returns what the trainer configuration of an experiment says of a run's schedule.

    Args:
      experiment: see `load`.
      setting: a setting of `garden.phase`, e.g. 'train_steps', or 'precision'.
      overrides: see `load`.
      config_files: see `load`.

    Raises:
      UserError: if it says nothing of that setting; otherwise as `load`.
    """
    if setting not in _SCHEDULE:
        raise UserError(
            f'schedules.model_garden.setting {setting!r} is not known.'
            f'{did_you_mean(setting, _SCHEDULE)} It is one of {", ".join(_SCHEDULE)}.'
        )
    return _SCHEDULE[setting](load(experiment, overrides, config_files))


def metric_name(name: str) -> str:
    """Returns what a metric of the Model Garden is called in a run folder."""
    return {'training_loss': 'loss', 'validation_loss': 'loss'}.get(name, name)


def _names(registered: Mapping[str, Any], prefix: str = '') -> Iterator[str]:
    for name, value in registered.items():
        if isinstance(value, dict):
            yield from _names(value, f'{prefix}{name}/')
        else:
            yield f'{prefix}{name}'


def _read(path: str) -> Mapping[str, Any]:
    try:
        settings = yaml.safe_load(epath.Path(path).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f'config_files: {path} cannot be read: {line(error)}') from error
    if not isinstance(settings, Mapping):
        raise UserError(f'config_files: {path} holds no settings.')
    return settings


def _change(
    config: ExperimentConfig, settings: Mapping[str, Any], experiment: str, where: str
) -> None:
    for name, value in settings.items():
        for key, leaf in _leaves(name, value):
            _check(config, key, leaf, experiment, where)
        change: Any = value
        for part in reversed(name.split('.')):
            change = {part: change}
        try:
            config.override(change, is_strict=True)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise UserError(f'{where}: {name} = {value!r}: {line(error)}') from error


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, part in value.items():
            yield from _leaves(f'{name}.{key}', part)
    else:
        yield name, value


def _check(config: ExperimentConfig, key: str, value: Any, experiment: str, where: str) -> None:
    """Refuses a name that is not there, and text where a number stands."""
    node: Any = config
    *parents, last = key.split('.')
    for depth, part in enumerate((*parents, last)):
        if not isinstance(node, ParamsDict):
            return  # Not set so far: the Model Garden knows what it may become.
        known = node.__dict__.keys() - {*node.RESERVED_ATTR}  # Of alternatives, all.
        if part not in known:
            inside = '.'.join(parents[:depth]) or 'the configuration'
            raise UserError(
                f'{where}: {experiment} of the Model Garden has no setting {key}.'
                f'{did_you_mean(part, known)} In {inside} there are {", ".join(sorted(known))}.'
            )
        node = getattr(node, part)
    if isinstance(node, int | float) and isinstance(value, str):
        raise UserError(f'{where}: {key} takes {type(node).__name__}, not {value!r}.')


def line(error: Exception) -> str:
    """Returns the first line of an error's message."""
    return (str(error).strip('\'"\n ') or type(error).__name__).splitlines()[0]
