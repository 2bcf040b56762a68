"""A file of weights straight into a network, by whichever converter knows its names."""

import os

import tensorflow as tf

from garden.convert import layout, weight_file
from garden.convert.layout import Filled
from garden.core import registry


def fill_from_file(network: tf.Module, path: str | os.PathLike[str]) -> Filled:
    """Gives every variable of a network its value from a file, and uses every tensor.

    Args:
      network: any network; the layout that knows most names is taken, of all converters.
      path: see `weight_file.read`.

    Raises:
      UserError: if the file cannot be read, or is of another network, which is then as it was.
    """
    layouts = {
        f'{converter}.{name}': known
        for converter in registry.names('converters')
        for name, known in registry.get('converters', converter)().items()
    }
    return layout.fill(network, layouts, weight_file.read(path))
