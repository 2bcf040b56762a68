"""The names of CycleGAN's networks in the authors' PyTorch code (pytorch-CycleGAN-and-pix2pix)."""

import re
from collections.abc import Mapping

from garden.convert.layout import Layout
from garden.core.registry import register

# Instance norms of before PyTorch 0.4 keep statistics, which nothing reads.
_STATISTICS = r'\.(running_mean|running_var|num_batches_tracked)$'


def _generator(blocks: int) -> Layout:
    """Their layers are numbered in one row, in which paddings and activations count too."""
    first = 10

    def block(found: re.Match) -> str:
        return f'model.{first - 1 + int(found[1])}.conv_block.{1 if found[2] == "1" else 5}'

    return Layout(
        (
            (r'^stem$', 'model.1'),
            (r'^down(\d)$', lambda found: f'model.{1 + 3 * int(found[1])}'),
            (r'^block(\d+)\.conv(\d)$', block),
            (r'^up(\d)$', lambda found: f'model.{first + blocks + 3 * (int(found[1]) - 1)}'),
            (r'^head$', f'model.{first + blocks + 7}'),
        ),
        ignored=_STATISTICS,
    )


def _patchgan_layer(found: re.Match) -> str:
    number = int(found[1])
    return f'model.{0 if number == 1 else 3 * number - 4}'


@register('converters', 'cyclegan_generator')
def cyclegan_generator() -> Mapping[str, Layout]:
    """Reads `netG='resnet_6blocks'` and `'resnet_9blocks'`, both without dropout."""
    return {f'resnet_{blocks}blocks': _generator(blocks) for blocks in (6, 9)}


@register('converters', 'patchgan')
def patchgan() -> Mapping[str, Layout]:
    """Reads `netD='basic'` and `'n_layers'`."""
    return {'n_layers': Layout([(r'^conv(\d)$', _patchgan_layer)], ignored=_STATISTICS)}
