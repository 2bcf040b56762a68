"""The design space of RegNets (Radosavovic et al., arXiv:2003.13678) and its published points.

A network is a point in a space of few dimensions, which give the width and depth of every stage.
"""

import dataclasses
import math
from typing import NamedTuple

from garden.core.errors import UserError

WIDTH_ROUNDINGS = ('pycls', 'torchvision')
_QUANTUM = 8


class Stage(NamedTuple):
    """A stage: `depth` blocks of `width` channels with groups in their 3x3 convolution."""

    depth: int
    width: int
    bottleneck_width: int
    groups: int


@dataclasses.dataclass(frozen=True)
class Design:
    """A point in the design space (sections 3.2 and 3.3 of the paper).

    Attributes:
      depth: number of blocks, over all stages.
      w_0: width before quantisation of the first block, a multiple of 8.
      w_a: growth of that width from block to block.
      w_m: ratio of the widths of neighbouring stages, more than 1.
      group_width: channels in a group of the 3x3 convolutions.
      bottleneck_ratio: width of the 3x3 convolution over the width of the block.
    """

    depth: int
    w_0: int
    w_a: float
    w_m: float
    group_width: int
    bottleneck_ratio: float = 1.0

    def stages(self, width_rounding: str = 'pycls') -> list[Stage]:
        """Returns the stages, one for each different width.

        Args:
          width_rounding: 'pycls' rounds to the nearest multiple of the group width; 'torchvision'
            rounds halves up and then never shrinks a width by more than a tenth. They give other
            networks for RegNetX-400MF, RegNetY-800MF and RegNetY-8.0GF, among others.

        Raises:
          UserError: for a point outside the design space, or an unknown rounding.
        """
        if self.depth < 1 or self.w_0 < 1 or self.w_0 % _QUANTUM or self.w_a < 0 or self.w_m <= 1:
            raise UserError(
                f'{self} is no RegNet: depth is at least 1, w_0 a positive multiple of {_QUANTUM}, '
                'w_a not negative and w_m more than 1.'
            )
        if width_rounding not in WIDTH_ROUNDINGS:
            raise UserError(
                f'There is no width_rounding {width_rounding!r}: '
                f'use {" or ".join(WIDTH_ROUNDINGS)}.'
            )
        widths = [self._quantised_width(block) for block in range(self.depth)]
        return [self._stage(widths, width, width_rounding) for width in sorted(set(widths))]

    def _quantised_width(self, block: int) -> int:
        # Python, like NumPy, rounds halves to even: the published widths depend on it.
        power = round(math.log((self.w_0 + self.w_a * block) / self.w_0) / math.log(self.w_m))
        return round(self.w_0 * self.w_m**power / _QUANTUM) * _QUANTUM

    def _stage(self, widths: list[int], width: int, width_rounding: str) -> Stage:
        inner = max(1, int(width * self.bottleneck_ratio))
        group_width = min(self.group_width, inner)
        if width_rounding == 'torchvision':
            rounded = max(group_width, (2 * inner + group_width) // (2 * group_width) * group_width)
            rounded += group_width * (rounded < 0.9 * inner)
        else:
            unit = math.lcm(group_width, max(1, int(self.bottleneck_ratio)))
            rounded = max(unit, round(inner / unit) * unit)
        return Stage(
            depth=widths.count(width),
            width=int(rounded / self.bottleneck_ratio),
            bottleneck_width=rounded,
            groups=rounded // group_width,
        )


def _designs(table: str) -> dict[str, Design]:
    rows = (line.split() for line in table.strip().splitlines())
    return {
        name: Design(int(depth), int(w_0), float(w_a), float(w_m), int(group_width))
        for name, depth, w_0, w_a, w_m, group_width in rows
    }


# Of the model zoo of the paper's authors (pycls, configs/dds_baselines); the three largest, which
# came later, of timm.
# variant: depth, w_0, w_a, w_m, group width
REGNETX = _designs("""
    200mf  13   24  36.44  2.49    8
    400mf  22   24  24.48  2.54   16
    600mf  16   48  36.97  2.24   24
    800mf  16   56  35.73  2.28   16
    1.6gf  18   80  34.01  2.25   24
    3.2gf  25   88  26.31  2.25   48
    4.0gf  23   96  38.65  2.43   40
    6.4gf  17  184  60.83  2.07   56
    8.0gf  23   80  49.56  2.88  120
    12gf   19  168  73.36  2.37  112
    16gf   22  216  55.59  2.1   128
    32gf   23  320  69.86  2.0   168
""")
REGNETY = _designs("""
    200mf  13   24  36.44  2.49    8
    400mf  16   48  27.89  2.09    8
    600mf  15   48  32.54  2.32   16
    800mf  14   56  38.84  2.4    16
    1.6gf  27   48  20.71  2.65   24
    3.2gf  21   80  42.63  2.66   24
    4.0gf  22   96  31.41  2.24   64
    6.4gf  25  112  33.22  2.27   72
    8.0gf  17  192  76.82  2.19   56
    12gf   19  168  73.36  2.37  112
    16gf   18  200 106.23  2.48  112
    32gf   20  232 115.89  2.53  232
    64gf   20  352 147.48  2.4   328
    128gf  27  456 160.83  2.52  264
    256gf  27  640 230.83  2.53  373
""")
