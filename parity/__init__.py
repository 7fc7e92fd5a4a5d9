"""Framework-free half of the parity port: the contract of both implementations, the comparison.

Nothing in this package imports TensorFlow, Keras or PyTorch.
"""

__version__ = "0.1.0"
