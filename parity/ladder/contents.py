"""The tensors that a record must contain, with their shapes and dtypes."""

from __future__ import annotations

from parity import rungs
from parity.ladder.record import Header, Record
from parity.specs.run import Spec

Form = tuple[tuple[int | None, ...], str]
"""Shape (None: any length but zero) and safetensors name of the dtype."""


STORED = {"float64": "F64", "float32": "F32"}
"""Safetensors names of the dtypes of a run."""

DRAWN = {"bool": "BOOL", "float32": "F32"}
"""Safetensors names of the dtypes of random draws."""


PREDICTIONS = ("outputs", "labels", "accuracy", "loss")
"""Tensors of the last rung, each computed from the one before."""


HISTORY = ("loss", "val_loss", "val_accuracy", "learning_rate")
"""Metrics of an epoch."""


TRAINED = ("epochs", "losses", *(f"history/{name}" for name in HISTORY), "outputs", "labels")
"""Tensors of a training over epochs without its weights, in the order of comparison."""


def expected(header: Header, dtype: str) -> dict[str, Form]:
    """Return the form of every tensor that a record must contain in one dtype, by name."""
    forms = _of_layers(header.spec, dtype)
    if header.kind != "replay":
        forms |= _of_training(header.spec, header.steps, dtype)
    if header.kind == "ladder" and header.epochs and dtype == "float64":
        forms |= _of_whole_training(header.spec)
    if header.seeds > 1 and dtype == "float32":
        forms |= {
            "predictions/over_seeds/labels": ((header.seeds, None), "I64"),
            "predictions/over_seeds/accuracy": ((header.seeds,), "F64"),
            "predictions/over_seeds/loss": ((header.seeds,), "F64"),
        }
    if header.kind == "replay":  # only the results of layers
        inner = ("mask", "input")
        forms = {name: form for name, form in forms.items() if name.split("/")[-1] not in inner}
    return {rungs.join(dtype, name): form for name, form in forms.items()}


def _of_layers(spec: Spec, dtype: str) -> dict[str, Form]:
    """Return the forms of forward passes and gradients."""
    model, real = spec.model, STORED[dtype]
    forms: dict[str, Form] = {}
    for rung in rungs.FORWARD:
        forms[f"{rung}/input"] = ((None, *model.input_shape), real)
        forms |= _masks(spec, f"{rung}/")
        forms |= {f"{rung}/{layer.name}": ((None, *layer.shape), real) for layer in model.layers()}
    forms |= {
        f"gradients/{row.name}": (row.shape, real) for row in model.parameters() if row.trainable
    }
    if dtype == "float64":
        forms |= {
            f"gradients/{layer.name}/output": ((None, *layer.shape), real)
            for layer in model.layers()
        }
    return forms


def _of_training(spec: Spec, steps: int, dtype: str) -> dict[str, Form]:
    """Return the forms of parameters, loss, optimizer steps and predictions."""
    model, real = spec.model, STORED[dtype]
    table = model.parameters()
    forms: dict[str, Form] = {}
    between = [f"steps/{step}" for step in rungs.snapshots(steps)]
    weights = (f"{place}/weights" for place in ("step", *between, "steps"))
    for place in ("parameters", *weights):
        forms |= {f"{place}/{row.name}": (row.shape, real) for row in table}
    trained = [row for row in table if row.trainable]
    for slot in spec.optimizer.slots:
        forms |= {f"step/slots/{slot}/{row.name}": (row.shape, real) for row in trained}
    if dtype == "float64":
        last = [f"steps/{steps}"] if steps > 1 else []
        for place in ("step", *between, *last):
            forms |= {
                f"{place}/input": ((None, *model.input_shape), real),
                f"{place}/labels": ((None,), "I64"),
                f"{place}/loss": ((), real),
                **_masks(spec, f"{place}/"),
            }
            if getattr(model, "variable_length", False):
                forms[f"{place}/lengths"] = ((None,), "I64")
    return forms | {
        "loss/loss": ((), "F64"),
        "steps/losses": ((steps,), real),
        "predictions/outputs": ((None, model.outputs), real),
        "predictions/labels": ((None,), "I64"),
        "predictions/accuracy": ((), "F64"),
        "predictions/loss": ((), "F64"),
    }


def _of_whole_training(spec: Spec) -> dict[str, Form]:
    """Return the forms of a training over epochs; the number of steps is not known."""
    forms: dict[str, Form] = dict.fromkeys(TRAINED, ((None,), "F64"))
    forms |= {
        "epochs": ((), "I64"),
        "outputs": ((None, spec.model.outputs), "F64"),
        "labels": ((None,), "I64"),
        **{f"weights/{row.name}": (row.shape, "F64") for row in spec.model.parameters()},
    }
    return {f"{rungs.TRAINING}/{name}": form for name, form in forms.items()}


def _masks(spec: Spec, prefix: str) -> dict[str, Form]:
    return {
        f"{prefix}{name}/mask": ((None, *draw.shape), DRAWN[draw.dtype])
        for name, draw in spec.model.draws().items()
    }


def form_of(record: Record, name: str) -> tuple[tuple[int, ...], str] | None:
    """Return the form of a record's tensor; None if there is no tensor of this name."""
    return (record.shape(name), record.dtype(name)) if name in record.names else None


def matches_form(found: Form | None, wanted: Form | None) -> bool:
    """Return whether a tensor's form is the wanted one; False if either is missing."""
    if found is None or wanted is None:
        return False
    (shape, dtype), (pattern, stored) = found, wanted
    return (
        dtype == stored
        and len(shape) == len(pattern)
        and all(n == m if m is not None else n for n, m in zip(shape, pattern, strict=True))
    )
