"""Whether an experiment can be run with the points of a sweep: asked before the first trial."""

import re
from collections.abc import Mapping, Sequence

from garden.core.errors import UserError, did_you_mean
from garden.engine import config as config_lib
from garden.engine import experiments
from garden.sweep.plan import Plan
from garden.sweep.space import Point, examples


def bindings(plan: Plan, point: Point, number: int) -> list[str]:
    """Returns what a trial of this number sets, as gin writes it."""
    seed = {'garden.experiment.seed': str(number)} if plan.sweep.vary_seed else {}
    return [f'{key} = {value}' for key, value in {**plan.settings, **seed, **point}.items()]


def check(plan: Plan) -> None:
    """Reads the experiment with points that have each value of a list and the ends of a range.

    Raises:
      UserError: for a setting that the experiment has not, or a value that does not fit it.
    """
    config = config_lib.load(plan.experiment)
    for key in (*plan.space, *plan.settings):
        if '.' not in key:
            _check_macro(key, config, plan)
    for point in examples(plan.space):
        overrides = bindings(plan, point, 0)
        try:
            config_lib.load(plan.experiment, overrides)
        except UserError as error:
            raise UserError(_placed(str(error), plan, overrides)) from error


def _check_macro(key: str, config: config_lib.Config, plan: Plan) -> None:
    used = set(re.findall(r'%([\w./]+)', config.text))
    if key not in used:
        raise UserError(
            f'{plan.where}: nothing in {plan.experiment} reads a macro {key}.'
            f'{did_you_mean(key, used)} A setting has a dot: name.parameter.'
        )


def _placed(message: str, plan: Plan, overrides: Sequence[str]) -> str:
    """Puts the place in the sweep's file where a message names a flag that nobody has written."""
    for override in overrides:
        message = message.replace(f"--gin '{override}'", f'{plan.where}, {override}')
    return message


def best_experiment(plan: Plan, point: Point, number: int, comments: Mapping[str, str]) -> str:
    """Returns the text of an experiment that is the sweep's with the settings of a trial.

    Args:
      plan: the sweep.
      point: the point of the trial.
      number: the trial's number.
      comments: fields of its header.
    """
    path = experiments.find(plan.experiment)
    roots = [root for root in experiments.roots() if path.is_relative_to(root)]
    include = path.relative_to(roots[0]) if roots else path
    header = '\n'.join(f'# {name}: {text}' for name, text in comments.items())
    lines = '\n'.join(bindings(plan, point, number))
    return (
        f"# The best trial of the sweep {plan.name}.\n#\n{header}\ninclude '{include}'\n\n{lines}\n"
    )
