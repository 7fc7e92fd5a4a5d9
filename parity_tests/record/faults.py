"""Faults of a record: which tensor or header is changed, and the check that must fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

STEPS = 4

Tensors = dict[str, np.ndarray]


@dataclass
class Planted:
    """A record being spoilt: its tensors and its header, to be changed in place."""

    tensors: Tensors
    header: dict[str, Any]

    def change(self, name: str, new: Callable[[np.ndarray], np.ndarray]) -> None:
        """Replace a tensor by what ``new`` makes of it."""
        self.tensors[name] = np.array(new(self.tensors[name].copy()), order="C")

    def swap(self, a: str, b: str) -> None:
        """Exchange two tensors."""
        self.tensors[a], self.tensors[b] = self.tensors[b], self.tensors[a]


Plant = Callable[[Planted], None]


def first_entry(factor: float = 1.0, offset: float = 0.0) -> Callable[[np.ndarray], np.ndarray]:
    """Change the entry of the largest size alone."""

    def changed(x: np.ndarray) -> np.ndarray:
        place = np.unravel_index(int(np.abs(x).argmax()), x.shape)
        x[place] = x[place] * factor + offset
        return x

    return changed


def one_ulp(x: np.ndarray) -> np.ndarray:
    x.flat[3] = np.nextafter(x.flat[3], x.dtype.type(np.inf))
    return x


def cancelling(x: np.ndarray) -> np.ndarray:
    """Add +d and −d in turn: the mean of the differences is exactly zero."""
    d = 1e-9 * float(np.abs(x).max())
    x.reshape(-1)[0::2] += d
    x.reshape(-1)[1::2] -= d
    return x


def swap_gates(x: np.ndarray) -> np.ndarray:
    z, r, h = np.split(x, 3, axis=-1)
    return np.concatenate([r, z, h], axis=-1)


def bessel(planted: Planted) -> None:
    """Let the variance that enters the running one be the unbiased one once more."""
    name = "batch_norm_1/moving_variance"
    kept = 0.99 * planted.tensors[f"float64/parameters/{name}"]
    count = 64 * 8 * 8
    planted.change(
        f"float64/step/weights/{name}", lambda x: kept + (x - kept) * count / (count - 1)
    )


def changed(name: str, new: Callable[[np.ndarray], np.ndarray]) -> Plant:
    return lambda planted: planted.change(name, new)


def dropped(name: str) -> Plant:
    return lambda planted: planted.header["trainable"].remove(name)


def added(planted: Planted) -> None:
    planted.tensors["float64/parameters/extra/kernel"] = np.zeros((2, 2))


def claimed_null(name: str) -> Plant:
    """Both headers may call a gradient null; a real one must be judged all the same."""

    def plant(planted: Planted) -> None:
        planted.header["null_gradients"][name] = 1e-16

    return plant


def counted(extra: int, what: str = "trainable") -> Plant:
    """Let the framework have counted other parameters than the canonical names cover."""

    def plant(planted: Planted) -> None:
        planted.header["counts"][what] += extra

    return plant


COUNT = "trainable parameters in all"


FAULTS: dict[str, tuple[str, Plant, tuple[str, str, str]]] = {
    "one_weight_off_by_one_ulp": (
        "softmax",
        changed("float64/parameters/dense_2/kernel", one_ulp),
        ("float64", "parameters", "dense_2/kernel"),
    ),
    "one_float32_weight_off_by_one_ulp": (
        "rnn",
        changed("float32/parameters/rnn_1/bias", one_ulp),
        ("float32", "parameters", "rnn_1/bias"),
    ),
    "missing_parameter": (
        "softmax",
        lambda planted: planted.tensors.pop("float64/parameters/logits/bias"),
        ("float64", "parameters", "logits/bias"),
    ),
    "missing_slot": (
        "cnn",
        lambda planted: planted.tensors.pop("float64/step/slots/v/conv_1/kernel"),
        ("float64", "step", "slots/v/conv_1/kernel"),
    ),
    "missing_in_float32": (
        "cnn",
        lambda planted: planted.tensors.pop("float32/forward_train/activation_1"),
        ("float32", "forward_train", "activation_1"),
    ),
    "extra_tensor": ("softmax", added, ("float64", "parameters", "extra/kernel")),
    "transposed_square_kernel": (
        "softmax",
        changed("float64/parameters/dense_2/kernel", np.transpose),
        ("float64", "parameters", "dense_2/kernel"),
    ),
    "transposed_oblong_kernel": (
        "softmax",
        changed("float64/gradients/dense_1/kernel", np.transpose),
        ("float64", "gradients", "dense_1/kernel"),
    ),
    "flattened": (
        "softmax",
        changed("float64/forward_eval/dense_1", np.ravel),
        ("float64", "forward_eval", "dense_1"),
    ),
    "channels_first": (
        "cnn",
        changed("float64/forward_eval/conv_1", lambda x: x.transpose(0, 3, 1, 2).reshape(x.shape)),
        ("float64", "forward_eval", "conv_1"),
    ),
    "swapped_activations": (
        "softmax",
        lambda planted: planted.swap(
            "float64/forward_eval/dense_1", "float64/forward_eval/dense_2"
        ),
        ("float64", "forward_eval", "dense_1"),
    ),
    "swapped_gradients": (
        "softmax",
        lambda planted: planted.swap(
            "float64/gradients/dense_1/bias", "float64/gradients/dense_2/bias"
        ),
        ("float64", "gradients", "dense_2/bias"),
    ),
    "swapped_gates": (
        "rnn",
        changed("float64/step/weights/rnn_1/recurrent_kernel", swap_gates),
        ("float64", "step", "weights/rnn_1/recurrent_kernel"),
    ),
    "slot_changed": (
        "rnn",
        changed("float64/step/slots/m/rnn_1/kernel", first_entry(1 + 1e-10)),
        ("float64", "step", "slots/m/rnn_1/kernel"),
    ),
    "bessel": ("cnn", bessel, ("float64", "step", "weights/batch_norm_1/moving_variance")),
    "label_flipped": (
        "rnn",
        changed("float64/predictions/labels", lambda x: np.where(np.arange(len(x)) == 7, 9 - x, x)),
        ("float64", "predictions", "labels"),
    ),
    "loss_of_one_step": (
        "cnn",
        changed("float64/steps/losses", lambda x: x * np.where(np.arange(STEPS) == 2, 1 + 1e-9, 1)),
        ("float64", "steps", "losses"),
    ),
    "rounded_to_float16": (
        "cnn",
        changed("float64/forward_train/activation_1", lambda x: x.astype("f2").astype("f8")),
        ("float64", "forward_train", "activation_1"),
    ),
    "rounded_to_float32": (
        "softmax",
        changed("float64/loss/loss", lambda x: x.astype("f4").astype("f8")),
        ("float64", "loss", "loss"),
    ),
    "float32_rounded_to_float16": (
        "softmax",
        changed("float32/gradients/dense_1/kernel", lambda x: x.astype("f2").astype("f4")),
        ("float32", "gradients", "dense_1/kernel"),
    ),
    "of_another_dtype": (
        "softmax",
        changed("float64/steps/weights/logits/bias", lambda x: x.astype("f4")),
        ("float64", "steps", "weights/logits/bias"),
    ),
    "cancelling_differences": (
        "softmax",
        changed("float64/gradients/dense_2/kernel", cancelling),
        ("float64", "gradients", "dense_2/kernel"),
    ),
    "infinity": (
        "cnn",
        changed("float64/forward_eval/pool_1", first_entry(np.inf)),
        ("float64", "forward_eval", "pool_1"),
    ),
    "sign": (
        "rnn",
        changed("float64/gradients/rnn_1/bias", first_entry(-1)),
        ("float64", "gradients", "rnn_1/bias"),
    ),
    "trainable_flag_dropped": (
        "softmax",
        dropped("dense_2/bias"),
        ("float64", "parameters", "dense_2/bias"),
    ),
    "counts_beyond_the_table": ("cnn", counted(4), ("float64", "parameters", COUNT)),
    "counts_of_a_layer": (
        "cnn",
        counted(4, "conv_1"),
        ("float64", "parameters", "conv_1/trainable parameters"),
    ),
    "counts_short_of_the_table": ("rnn", counted(-1), ("float64", "parameters", COUNT)),
    "input_scaled": (
        "cnn",
        changed("float64/forward_eval/input", lambda x: x / 255),
        ("float64", "forward_eval", "input"),
    ),
    "float32_input_off_by_one_ulp": (
        "softmax",
        changed("float32/forward_train/input", one_ulp),
        ("float32", "forward_train", "input"),
    ),
    "mask_inverted": (
        "dropout",
        changed("float64/forward_train/dropout_1/mask", np.invert),
        ("float64", "forward_train", "dropout_1/mask"),
    ),
    "mask_of_a_step_inverted": (
        "dropout",
        changed("float64/steps/3/dropout_1/mask", np.invert),
        ("float64", "steps", "3/dropout_1/mask"),
    ),
    "labels_of_a_step_shifted": (
        "softmax",
        changed("float64/steps/3/labels", lambda x: np.roll(x, 1)),
        ("float64", "steps", "3/labels"),
    ),
    "batch_of_the_first_step_reversed": (
        "rnn",
        changed("float64/step/input", lambda x: x[::-1]),
        ("float64", "step", "input"),
    ),
    "labels_of_a_step_missing": (
        "cnn",
        lambda planted: planted.tensors.pop("float64/steps/3/labels"),
        ("float64", "steps", "3/labels"),
    ),
    "gradient_of_an_output": (
        "cnn",
        changed("float64/gradients/pool_1/output", first_entry(1 + 1e-9)),
        ("float64", "gradients", "pool_1/output"),
    ),
    "weights_of_a_step": (
        "rnn",
        changed("float64/steps/3/weights/rnn_1/kernel", first_entry(1 + 1e-9)),
        ("float64", "steps", "3/weights/rnn_1/kernel"),
    ),
    "statistics_of_a_step": (
        "cnn",
        changed("float64/steps/2/weights/batch_norm_1/moving_mean", first_entry(1 + 1e-9)),
        ("float64", "steps", "2/weights/batch_norm_1/moving_mean"),
    ),
    "nan_in_the_float32_accuracy": (
        "softmax",
        changed("float32/predictions/accuracy", first_entry(np.nan)),
        ("float32", "predictions", "accuracy"),
    ),
    "null_gradient_huge_in_float32": (
        "cnn",
        changed("float32/gradients/conv_1/bias", first_entry(0.0, 1e6)),
        ("float32", "gradients", "conv_1/bias"),
    ),
    "buffer_called_trainable": (
        "cnn",
        lambda planted: planted.header["trainable"].append("batch_norm_1/moving_mean"),
        ("float64", "parameters", "batch_norm_1/moving_mean"),
    ),
}
"""Name to (model, the fault, where it must be found first: dtype, rung, tensor)."""


BOTH: dict[str, tuple[str, Plant, tuple[str, str, str]]] = {
    "nan_on_both_sides": (
        "softmax",
        changed("float64/forward_eval/dense_1", first_entry(np.nan)),
        ("float64", "forward_eval", "dense_1"),
    ),
    "infinity_on_both_sides": (
        "softmax",
        changed("float64/steps/losses", first_entry(np.inf)),
        ("float64", "steps", "losses"),
    ),
    "missing_on_both_sides": (
        "rnn",
        lambda planted: planted.tensors.pop("float64/gradients/rnn_1/kernel"),
        ("float64", "gradients", "rnn_1/kernel"),
    ),
    "frozen_on_both_sides": (
        "softmax",
        dropped("logits/kernel"),
        ("float64", "parameters", "logits/kernel"),
    ),
}
"""The same, planted into both records."""
