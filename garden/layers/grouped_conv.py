"""Grouped 2-D convolution with one numerical meaning and several implementations.

TensorFlow has grouped kernels for accelerators. On a CPU only oneDNN has them, in float32 and
bfloat16; the convolution layer of Keras sends them through XLA, whose gradients on a CPU are
some hundred times too slow. So the implementation is chosen here, from what this machine can do.
"""

import contextlib
import contextvars
import functools
from collections.abc import Iterator, Sequence
from typing import Any

import tensorflow as tf
import tf_keras as keras
from tensorflow.python.ops import control_flow_util  # No public name tells of XLA while tracing.

IMPLEMENTATIONS = ('auto', 'native', 'split', 'im2col')
_PREFERRED = contextvars.ContextVar('preferred', default='auto')
_IM2COL_LIMIT = 28
"""Side of the largest map on which XLA for CPUs compiles im2col to faster code than split."""


@keras.saving.register_keras_serializable('garden')
class GroupedConv2D(keras.layers.Layer):
    """2-D convolution in groups, padded by kernel_size // 2 on each side whatever the stride.

    Maps [batch, height, width, channels] to [batch, (height - 1) // strides + 1,
    (width - 1) // strides + 1, filters]. The padding is that of the published PyTorch networks;
    TensorFlow's 'SAME' pads only below and to the right at stride 2.

    Args:
      filters: number of output channels, a multiple of `groups`.
      kernel_size: side of the square kernel, odd.
      groups: number of groups; input channel c feeds only the outputs of its own group.
      strides: stride along both axes.
      use_bias: whether to add a bias to each output channel.
      kernel_initializer: initialiser of the kernel
        [kernel_size, kernel_size, channels / groups, filters].
      bias_initializer: initialiser of the bias [filters].
      implementation: 'native' is one op; 'split' is one ordinary convolution for each group, which
        every device and TFLite can run; 'im2col' is one batched matrix product, for XLA on CPUs;
        'auto' chooses when the layer is called, see `choose_implementation`, or leaves it to the
        context, see `prefer`.
      **kwargs: `name`, `dtype` and `trainable` of a Keras layer.

    Raises:
      ValueError: for an even kernel, an unknown implementation, or channels that the groups do not
        divide.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: int,
        groups: int = 1,
        strides: int = 1,
        use_bias: bool = False,
        kernel_initializer: str | keras.initializers.Initializer = 'glorot_uniform',
        bias_initializer: str | keras.initializers.Initializer = 'zeros',
        implementation: str = 'auto',
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if kernel_size % 2 == 0:
            raise ValueError(
                f'kernel_size is odd, so that padding is symmetric; got {kernel_size}.'
            )
        if filters % groups:
            raise ValueError(f'{filters} filters cannot be divided into {groups} groups.')
        if implementation not in IMPLEMENTATIONS:
            raise ValueError(f'implementation is one of {IMPLEMENTATIONS}; got {implementation!r}.')
        self.filters = filters
        self.kernel_size = kernel_size
        self.groups = groups
        self.strides = strides
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.implementation = implementation
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape: Sequence[int | None]) -> None:
        """Makes the kernel, and the bias if there is one."""
        channels = input_shape[-1]
        if channels is None or channels % self.groups:
            raise ValueError(f'{channels} channels cannot be divided into {self.groups} groups.')
        shape = (self.kernel_size, self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.add_weight('kernel', shape, initializer=self.kernel_initializer)
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight('bias', (self.filters,), initializer=self.bias_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4, axes={-1: channels})
        super().build(input_shape)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Convolves [batch, height, width, channels]; for `training` see `grouped_conv2d`."""
        outputs = grouped_conv2d(
            inputs, self.kernel, self.strides, self.implementation, training is True
        )
        return outputs if self.bias is None else tf.nn.bias_add(outputs, self.bias)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> tf.TensorShape:
        """Returns the shape of the output for an input of `input_shape`."""
        batch, height, width, _ = tf.TensorShape(input_shape).as_list()
        sides = [s if s is None else (s - 1) // self.strides + 1 for s in (height, width)]
        return tf.TensorShape([batch, *sides, self.filters])

    def get_config(self) -> dict:
        """Returns the arguments that make this layer again."""
        return {
            **super().get_config(),
            'filters': self.filters,
            'kernel_size': self.kernel_size,
            'groups': self.groups,
            'strides': self.strides,
            'use_bias': self.use_bias,
            'kernel_initializer': keras.initializers.serialize(self.kernel_initializer),
            'bias_initializer': keras.initializers.serialize(self.bias_initializer),
            'implementation': self.implementation,
        }


@contextlib.contextmanager
def prefer(implementation: str) -> Iterator[None]:
    """Takes an implementation wherever 'auto' is called or traced in this context.

    A graph holds what was chosen when it was traced. One that is to run on any host, without oneDNN
    too, or as TFLite, is traced with 'split': `with prefer('split'): tf.saved_model.save(...)`.
    Threads that are started in the context, as those of a strategy's replicas, do not see it.

    Args:
      implementation: see `GroupedConv2D`.
    """
    if implementation not in IMPLEMENTATIONS:
        raise ValueError(f'implementation is one of {IMPLEMENTATIONS}; got {implementation!r}.')
    token = _PREFERRED.set(implementation)
    try:
        yield
    finally:
        _PREFERRED.reset(token)


@tf.autograph.experimental.do_not_convert  # Nothing depends on values; converting takes time.
def grouped_conv2d(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    strides: int = 1,
    implementation: str = 'auto',
    training: bool = False,
) -> tf.Tensor:
    """Convolves, with size // 2 zeros around the map, in as many groups as the kernel implies.

    Args:
      inputs: [batch, height, width, channels].
      kernel: [size, size, channels / groups, filters], of the same dtype; size is odd.
      strides: stride along both axes.
      implementation: see `GroupedConv2D`; without groups 'auto' alone makes a difference.
      training: whether a gradient is to come. On a CPU, a pointwise convolution is a matrix product
        then, for its gradients take less time than those of the convolution: two thirds in float32,
        a hundredth in float16. Without one, only the convolution is fused with what follows.

    Returns:
      [batch, (height - 1) // strides + 1, (width - 1) // strides + 1, filters].
    """
    inputs, kernel = tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel)
    size, _, width, _ = kernel.shape
    if implementation == 'auto':
        implementation = _PREFERRED.get()
    if inputs.shape[-1] == width:
        pointwise = size == strides == 1 and training and implementation == 'auto'
        if pointwise and not _on_accelerator() and not _in_xla():
            return tf.tensordot(inputs, tf.reshape(kernel, kernel.shape[2:]), 1)
        return _native(inputs, kernel, strides)
    if implementation == 'auto':
        implementation = choose_implementation(inputs)
    convolve = {'native': _native, 'split': _split, 'im2col': _im2col}[implementation]
    return convolve(inputs, kernel, strides)


def choose_implementation(inputs: tf.Tensor) -> str:
    """Returns the best implementation for a grouped convolution of `inputs`, where it is traced.

    On accelerators that is native. On a CPU, XLA wants im2col for small maps and split for large
    ones; without XLA it is native if a small trial of that works, else split.
    """
    if _on_accelerator():
        return 'native'
    if _in_xla():
        sides = [side for side in inputs.shape[1:3] if side is not None]
        return 'im2col' if len(sides) == 2 and max(sides) <= _IM2COL_LIMIT else 'split'
    return 'native' if _native_works(inputs.dtype) else 'split'


def _on_accelerator() -> bool:
    if tf.distribute.has_strategy():
        names = tf.distribute.get_strategy().extended.worker_devices
    else:
        names = [device.name for device in tf.config.list_logical_devices()]
    return any(f'{kind}:' in name.upper() for name in names for kind in ('GPU', 'TPU'))


def _in_xla() -> bool:
    if tf.executing_eagerly():
        return False
    return control_flow_util.GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())


@functools.cache
def _native_works(dtype: tf.DType) -> bool:
    """Tries a grouped convolution with its gradient, compiled, for it fails in different places."""

    @tf.function(autograph=False)
    def trial(inputs: tf.Tensor, kernel: tf.Tensor, bias: tf.Tensor) -> list[tf.Tensor]:
        outputs = tf.nn.conv2d(inputs, kernel, 1, 'VALID')
        outputs = tf.nn.relu(tf.nn.bias_add(outputs, bias))
        return tf.gradients(outputs, [inputs, kernel])  # init_scope stops every gradient tape.

    with tf.init_scope(), tf.device('CPU:0'):
        arguments = [tf.ones(shape, dtype) for shape in ([1, 4, 4, 4], [3, 3, 2, 4], [4])]
        try:
            trial.get_concrete_function(*arguments)(*arguments)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            return False
    return True


def _native(inputs: tf.Tensor, kernel: tf.Tensor, strides: int) -> tf.Tensor:
    return _conv2d(_bordered(inputs, kernel, strides), kernel, strides)


def _split(inputs: tf.Tensor, kernel: tf.Tensor, strides: int) -> tf.Tensor:
    groups = inputs.shape[-1] // kernel.shape[2]
    parts = tf.split(_bordered(inputs, kernel, strides), groups, -1)
    pairs = zip(parts, tf.split(kernel, groups, -1), strict=True)
    return tf.concat([_conv2d(part, own_kernel, strides) for part, own_kernel in pairs], -1)


def _im2col(inputs: tf.Tensor, kernel: tf.Tensor, strides: int) -> tf.Tensor:
    size, _, width, filters = kernel.shape
    groups = inputs.shape[-1] // width
    inputs = _padded(inputs, size // 2)
    # Shift i of size drops i rows above and size - 1 - i below.
    spans = [slice(i, i - size + 1 or None, strides) for i in range(size)]
    columns = tf.stack([inputs[:, rows, cols] for rows in spans for cols in spans], 3)
    shape = tf.shape(columns)
    columns = tf.reshape(columns, [-1, size * size, groups, width])
    columns = tf.reshape(tf.transpose(columns, [2, 0, 1, 3]), [groups, -1, size * size * width])
    matrices = tf.reshape(kernel, [size * size * width, groups, filters // groups])
    outputs = tf.matmul(columns, tf.transpose(matrices, [1, 0, 2]))
    return tf.reshape(tf.transpose(outputs, [1, 0, 2]), tf.concat([shape[:3], [filters]], 0))


def _conv2d(inputs: tf.Tensor, kernel: tf.Tensor, strides: int) -> tf.Tensor:
    return tf.nn.conv2d(inputs, kernel, strides, 'SAME' if strides == 1 else 'VALID')


def _bordered(inputs: tf.Tensor, kernel: tf.Tensor, strides: int) -> tf.Tensor:
    """Returns the map with the zeros around it that the op does not add at such a stride.

    'SAME' is symmetric at stride 1 only, and a list of paddings would lose the gradient on CPUs.
    """
    return inputs if strides == 1 else _padded(inputs, kernel.shape[0] // 2)


def _padded(inputs: tf.Tensor, border: int) -> tf.Tensor:
    around = (border, border)
    return tf.pad(inputs, [(0, 0), around, around, (0, 0)]) if border else inputs
