"""The ladder's rungs, and how the tensors of a record are named after them.

A tensor's name is ``dtype/rung/…``, for example ``float64/gradients/conv_1/kernel`` or
``float32/step/slots/m/logits/bias``.
"""

from __future__ import annotations

RUNGS: dict[str, str] = {
    "parameters": "parameters",
    "forward_eval": "forward (eval)",
    "forward_train": "forward (train)",
    "loss": "loss",
    "gradients": "gradients",
    "step": "after one step",
    "steps": "after k steps",
    "predictions": "predictions",
}
"""Rung to what a person reads, in the order of the ladder. A step is one of the optimizer."""


def title(rung: str, steps: int) -> str:
    """What a person reads for a rung of a ladder with ``steps`` steps."""
    return RUNGS[rung].replace("k steps", f"{steps} steps" if steps > 1 else "the last step")


def join(*parts: str) -> str:
    """Name of a tensor from its parts, the dtype first."""
    return "/".join(parts)


def split(name: str) -> tuple[str, str, str]:
    """A tensor's name as (dtype, rung, the rest)."""
    dtype, rung, rest = name.split("/", 2)
    return dtype, rung, rest


def parameter_of(rung: str, rest: str) -> str | None:
    """Canonical name of the parameter that a tensor belongs to, or None (a loss, an activation)."""
    if rung in ("parameters", "gradients"):
        return rest
    kind, _, name = rest.partition("/")
    if kind == "weights":
        return name
    if kind == "slots":
        return name.partition("/")[2]
    return None
