"""Tests of what users call: the command, the pytest plugin, the guide and ``tf.keras``."""
