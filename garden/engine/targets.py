"""What an experiment promises to reach: 'top1 >= 0.97', checked when it ends."""

import dataclasses
import operator
import re
from collections.abc import Mapping

from garden.core.errors import UserError

_COMPARE = {'>=': operator.ge, '<=': operator.le}


@dataclasses.dataclass(frozen=True)
class Target:
    """A bound on a metric of the final evaluation."""

    metric: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> 'Target':
        """Reads a target as gin files state it, e.g. 'top1 >= 0.97'."""
        match = re.fullmatch(r'\s*(\w+)\s*(>=|<=)\s*(\S+)\s*', text)
        try:
            metric, comparison, bound = match.groups()  # type: ignore[union-attr]
            return cls(metric, comparison, float(bound))
        except (AttributeError, ValueError) as error:
            raise UserError(
                f"phase.targets: {text!r} is not of the form 'metric >= number' "
                "or 'metric <= number'."
            ) from error

    def met(self, metrics: Mapping[str, float]) -> bool:
        """Whether the metrics keep the bound; a metric that is not there does not."""
        return self.metric in metrics and _COMPARE[self.comparison](
            metrics[self.metric], self.bound
        )

    def __str__(self) -> str:
        return f'{self.metric} {self.comparison} {self.bound:g}'
