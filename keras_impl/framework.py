"""Import TensorFlow and Keras: ``tf_keras`` (Keras 2, the default) or ``keras`` 3."""

from __future__ import annotations

import importlib
import os
from typing import Any

from parity.adapters.backend import Settings
from parity.errors import ParityError
from parity.reference.losses.formulas import PROBABILITY_EPSILON
from parity.system.quiet import suppress_stderr

FLAVOUR = os.environ.setdefault("PARITY_FLAVOUR", "tf_keras")

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if FLAVOUR == "keras3":
    os.environ["KERAS_BACKEND"] = "tensorflow"


with suppress_stderr():  # imported by name, after the environment is set
    tf: Any = importlib.import_module("tensorflow")
    keras: Any = importlib.import_module({"tf_keras": "tf_keras", "keras3": "keras"}[FLAVOUR])
tf.get_logger().setLevel("ERROR")


def configure(settings: Settings) -> None:
    """Apply threads and device to this process, once.

    Raises:
        ParityError: the process already runs another flavour, or the device does not exist.
    """
    if settings.flavour != FLAVOUR:
        raise ParityError(f"flavour: received {settings.flavour!r}, this process runs {FLAVOUR!r}")
    devices = [
        device.name.split("physical_device:")[-1] for device in tf.config.list_physical_devices()
    ]
    if tf_device(settings.device) not in devices:
        accepted = ", ".join(
            name.lower().replace("gpu", "cuda").replace("cpu:0", "cpu") for name in devices
        )
        raise ParityError(f"--device: received {settings.device!r}, accepted: {accepted}")
    # a user's keras.json must not change what a spec means
    keras.backend.set_image_data_format("channels_last")
    keras.backend.set_epsilon(PROBABILITY_EPSILON)
    tf.config.threading.set_intra_op_parallelism_threads(settings.threads)
    # one operation at a time uses all threads: up to a third faster for small models
    tf.config.threading.set_inter_op_parallelism_threads(1)


def tf_device(device: str) -> str:
    """TensorFlow's name for a device: ``cpu`` → ``CPU:0``, ``cuda:1`` → ``GPU:1``."""
    kind, _, number = device.partition(":")
    return f"{'CPU' if kind == 'cpu' else 'GPU'}:{number or 0}"


def threads() -> dict[str, int]:
    """The current thread settings; 0 means that TensorFlow chooses."""
    return {
        "intra_op": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op": tf.config.threading.get_inter_op_parallelism_threads(),
    }


def versions() -> dict[str, str]:
    """Versions of the imported frameworks."""
    return {"tensorflow": tf.__version__, FLAVOUR: keras.__version__}


def set_dtype(dtype: str) -> None:
    """Make layers and losses created from now on compute in ``dtype``.

    Keras 3 ignores ``floatx`` once a layer exists, so the policy is set too.
    """
    keras.backend.set_floatx(dtype)
    if FLAVOUR == "keras3":
        keras.config.set_dtype_policy(dtype)
    else:
        keras.mixed_precision.set_global_policy(dtype)
