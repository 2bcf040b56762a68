"""RegNetX and RegNetY (Radosavovic et al., Designing Network Design Spaces, arXiv:2003.13678)."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from garden.core.errors import UserError, did_you_mean
from garden.core.registry import register
from garden.layers.conv_norm import ConvNorm
from garden.layers.squeeze_excitation import SqueezeExcitation
from garden.layers.stochastic_depth import StochasticDepth
from garden.models.regnet_design import REGNETX, REGNETY, Design, Stage


class Block(keras.layers.Layer):
    """Residual bottleneck block: 1x1, grouped 3x3, squeeze-excitation, 1x1, shortcut (figure 4).

    Args:
      stage: the stage that the block belongs to.
      width_in: channels that enter the block.
      strides: of the 3x3 convolution and of the shortcut.
      se_ratio: width of the squeeze-excitation over `width_in`; 0 for a block without.
      conv: makes a `ConvNorm`.
      name: name of the layer.
      drop_rate: the probability that training drops all but the shortcut, for each image.
    """

    def __init__(
        self,
        stage: Stage,
        width_in: int,
        strides: int,
        se_ratio: float,
        conv: Callable[..., ConvNorm],
        name: str,
        drop_rate: float = 0.0,
    ):
        super().__init__(name=name)
        width, inner = stage.width, stage.bottleneck_width
        self.conv1 = conv(inner, 1, name='conv1')
        self.conv2 = conv(inner, 3, strides=strides, groups=stage.groups, name='conv2')
        self.se = None
        if se_ratio:
            self.se = SqueezeExcitation(inner, round(se_ratio * width_in), name='se')
        self.conv3 = conv(width, 1, activation=False, name='conv3')
        self.drop = StochasticDepth(drop_rate) if drop_rate else None
        self.downsample = None
        if width_in != width or strides != 1:
            self.downsample = conv(width, 1, strides=strides, activation=False, name='downsample')

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Maps [batch, height, width, width_in] to [batch, height', width', stage.width]."""
        outputs = self.conv2(self.conv1(inputs, training=training), training=training)
        if self.se is not None:
            outputs = self.se(outputs)
        outputs = self.conv3(outputs, training=training)
        if self.drop is not None:
            outputs = self.drop(outputs, training=training)
        if self.downsample is not None:
            inputs = self.downsample(inputs, training=training)
        return tf.nn.relu(outputs + inputs)


class _Chain(keras.layers.Layer):
    """Blocks b1, b2, ... one after the other."""

    def __init__(self, blocks: list[Block], name: str):
        super().__init__(name=name)
        for block in blocks:
            setattr(self, block.name, block)
        self._names = [block.name for block in blocks]

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        for name in self._names:
            inputs = getattr(self, name)(inputs, training=training)
        return inputs


class _Head(keras.layers.Layer):
    """Global average pooling and a linear layer, whose logits are float32 whatever the policy."""

    def __init__(self, num_classes: int):
        super().__init__(name='head')
        self.fc = keras.layers.Dense(
            num_classes,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            dtype='float32',
            name='fc',
        )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        # A mean over half-precision numbers would lose what float32 logits are there to keep.
        return self.fc(tf.reduce_mean(tf.cast(inputs, tf.float32), [1, 2]))


class RegNet(keras.Model):
    """A RegNet; maps normalised images [batch, height, width, channels] to logits, in float32.

    Its variables exist from the start, and images of any size will do. Layers have timm's names:
    stem.conv, stem.bn, s1.b1.conv1.conv, s1.b1.se.fc1, s1.b1.downsample.bn, ..., head.fc.

    Args:
      stages: the stages; each halves the map.
      num_classes: number of logits.
      input_channels: channels of the images.
      stem_width: channels of the stem.
      stem_stride: stride of the stem: 2, or 1 for small images.
      se_ratio: width of the squeeze-excitations over the width that enters the block; 0 for none.
      drop_path: the `drop_rate` of the last block; it rises linearly from 0 in the first.
      synchronized: whether batch statistics are taken over all replicas.
      implementation: of the grouped convolutions, see `garden.layers.grouped_conv.GroupedConv2D`.
      name: name of the model.
    """

    def __init__(
        self,
        stages: list[Stage],
        num_classes: int,
        input_channels: int = 3,
        stem_width: int = 32,
        stem_stride: int = 2,
        se_ratio: float = 0.25,
        drop_path: float = 0.0,
        synchronized: bool = False,
        implementation: str = 'auto',
        name: str = 'regnet',
    ):
        super().__init__(name=name)
        conv = functools.partial(ConvNorm, synchronized=synchronized, implementation=implementation)
        self.stem = conv(stem_width, 3, strides=stem_stride, name='stem')
        width = stem_width
        rates = iter(np.linspace(0, drop_path, sum(stage.depth for stage in stages)))
        self._stage_names = [f's{i}' for i in range(1, len(stages) + 1)]
        for stage_name, stage in zip(self._stage_names, stages, strict=True):
            blocks = []
            for j in range(1, stage.depth + 1):
                strides = 2 if j == 1 else 1
                rate = float(next(rates))
                blocks.append(Block(stage, width, strides, se_ratio, conv, f'b{j}', rate))
                width = stage.width
            setattr(self, stage_name, _Chain(blocks, name=stage_name))
        self.head = _Head(num_classes)
        self.build((None, None, None, input_channels))

    def endpoints(self, images: tf.Tensor, training: bool | None = None) -> dict[str, tf.Tensor]:
        """Returns the maps that a detector takes: '1' of the stem, '2' of stage s1, and so on.

        At the published strides map l is 2**l times smaller than the images.
        """
        maps = {'1': self.stem(images, training=training)}
        outputs = maps['1']
        for level, stage_name in enumerate(self._stage_names, start=2):
            outputs = getattr(self, stage_name)(outputs, training=training)
            maps[str(level)] = outputs
        return maps

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns logits [batch, num_classes] for `images` [batch, height, width, channels]."""
        maps = self.endpoints(images, training=training)
        return self.head(maps[str(len(maps))])


@register('models', 'regnety')
def regnety(
    variant: str | None = '400mf',
    num_classes: int = 1000,
    input_channels: int = 3,
    depth: int | None = None,
    w_0: int | None = None,
    w_a: float | None = None,
    w_m: float | None = None,
    group_width: int | None = None,
    bottleneck_ratio: float | None = None,
    width_rounding: str = 'pycls',
    stem_width: int = 32,
    stem_stride: int = 2,
    se_ratio: float = 0.25,
    drop_path: float = 0.0,
    synchronized: bool = False,
    implementation: str = 'auto',
) -> RegNet:
    """Makes a RegNetY: a RegNet with squeeze-excitation.

    Args:
      variant: a published network, e.g. '400mf'; None if the design is given in full.
      num_classes: see `RegNet`.
      input_channels: see `RegNet`.
      depth: like the next five, a coordinate of `Design`, in place of the variant's.
      w_0: see `Design`.
      w_a: see `Design`.
      w_m: see `Design`.
      group_width: see `Design`.
      bottleneck_ratio: see `Design`.
      width_rounding: see `Design.stages`.
      stem_width: see `RegNet`.
      stem_stride: see `RegNet`.
      se_ratio: see `RegNet`.
      drop_path: see `RegNet`.
      synchronized: see `RegNet`.
      implementation: see `RegNet`.

    Raises:
      UserError: for an unknown variant, or a design that is incomplete or outside the space.
    """
    design = _design(
        'regnety',
        REGNETY,
        variant,
        depth=depth,
        w_0=w_0,
        w_a=w_a,
        w_m=w_m,
        group_width=group_width,
        bottleneck_ratio=bottleneck_ratio,
    )
    return RegNet(
        design.stages(width_rounding),
        num_classes,
        input_channels,
        stem_width,
        stem_stride,
        se_ratio,
        drop_path,
        synchronized,
        implementation,
        name='regnety',
    )


@register('models', 'regnetx')
def regnetx(
    variant: str | None = '400mf',
    num_classes: int = 1000,
    input_channels: int = 3,
    depth: int | None = None,
    w_0: int | None = None,
    w_a: float | None = None,
    w_m: float | None = None,
    group_width: int | None = None,
    bottleneck_ratio: float | None = None,
    width_rounding: str = 'pycls',
    stem_width: int = 32,
    stem_stride: int = 2,
    drop_path: float = 0.0,
    synchronized: bool = False,
    implementation: str = 'auto',
) -> RegNet:
    """Makes a RegNetX: a RegNet without squeeze-excitation. Otherwise as `regnety`.

    Args:
      variant: see `regnety`.
      num_classes: see `regnety`.
      input_channels: see `regnety`.
      depth: see `regnety`.
      w_0: see `regnety`.
      w_a: see `regnety`.
      w_m: see `regnety`.
      group_width: see `regnety`.
      bottleneck_ratio: see `regnety`.
      width_rounding: see `regnety`.
      stem_width: see `regnety`.
      stem_stride: see `regnety`.
      drop_path: see `regnety`.
      synchronized: see `regnety`.
      implementation: see `regnety`.

    Raises:
      UserError: for an unknown variant, or a design that is incomplete or outside the space.
    """
    design = _design(
        'regnetx',
        REGNETX,
        variant,
        depth=depth,
        w_0=w_0,
        w_a=w_a,
        w_m=w_m,
        group_width=group_width,
        bottleneck_ratio=bottleneck_ratio,
    )
    return RegNet(
        design.stages(width_rounding),
        num_classes,
        input_channels,
        stem_width,
        stem_stride,
        se_ratio=0,
        drop_path=drop_path,
        synchronized=synchronized,
        implementation=implementation,
        name='regnetx',
    )


def _design(
    family: str, designs: Mapping[str, Design], variant: str | None, **given: Any
) -> Design:
    if variant is not None and variant not in designs:
        raise UserError(
            f'models.{family} has no variant {variant!r}.{did_you_mean(str(variant), designs)} '
            f'Variants: {", ".join(designs)}.'
        )
    given = {name: value for name, value in given.items() if value is not None}
    if variant is not None:
        return dataclasses.replace(designs[variant], **given)
    missing = [name for name in ('depth', 'w_0', 'w_a', 'w_m', 'group_width') if name not in given]
    if missing:
        raise UserError(
            f'models.{family} without a variant needs its design in full: '
            f'give {", ".join(missing)} too, or a variant.'
        )
    return Design(**given)
