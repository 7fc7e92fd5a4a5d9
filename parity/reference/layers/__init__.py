"""A file per kind of layer: its canonical configuration, defaults, reference, known differences.

Configurations name their fields as Keras names its arguments. ``KERAS_DEFAULTS`` and
``TORCH_DEFAULTS`` are what each framework does when only the required arguments are given, by class
and in its own terms; ``KERAS_3_DEFAULTS``, where there is one, says where Keras 3 parts.

References are plain NumPy in float64. They take arrays in Keras's layouts (channels last, dense
kernels (in, out), gates i, f, c, o and z, r, h) and weights by their canonical names.
"""
