"""Layers, one file per kind: canonical configuration, defaults, reference, known differences.

Configurations name their fields as Keras names its arguments. ``KERAS_DEFAULTS`` and
``TORCH_DEFAULTS`` hold each framework's default arguments by class, under the framework's own
names; ``KERAS_3_DEFAULTS`` holds those of Keras 3 that differ from Keras 2.

References are plain NumPy in float64. They take arrays in Keras's layouts (channels-last, dense
kernels (in, out), gates i, f, c, o and z, r, h) and weights by their canonical names.
"""
