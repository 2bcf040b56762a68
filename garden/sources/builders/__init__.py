"""TFDS builders over data that needs no download, each in the module of its own name.

`sources.tfds` imports a module of this folder when a data set of its name is asked for. A builder
with `needs_network = False` is prepared without being asked to.
"""
