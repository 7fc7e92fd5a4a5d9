"""The report on two records, made from their comparison."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from parity.ladder.record import Record
from parity.report import sentences
from parity.report.data import check_as_data
from parity.report.outcome import Figures, Provenance
from parity.report.report import Report
from parity.report.wording import counted
from parity.rungs import TITLES, TRAINING
from parity.verdict.compare import Comparison
from parity.verdict.result import (
    DIFFERENT,
    SAME,
    Cause,
    Check,
    Float32Deviation,
    LayerComparison,
    Rung,
    compared_rung,
)


def report(
    comparison: Comparison,
    causes: Sequence[Cause] = (),
    *,
    command: tuple[str, ...] = (),
    at_once: bool = False,
) -> Report:
    """The report on a comparison of two records.

    Args:
        comparison: of the records.
        causes: of the first divergence, where they were searched for.
        command: the words of the command line.
        at_once: whether both sides ran at the same time, which their timings show.
    """
    records = comparison.reference, comparison.other
    header = comparison.reference.header
    dtype = "float64" if comparison.decisive else "float32"
    return Report(
        name=header.spec.family,
        sides=comparison.sides,
        verdict=SAME if comparison.same else DIFFERENT,
        dtype=dtype,
        rungs=tuple(_rungs(comparison, dtype)),
        first_divergence=comparison.first,
        about_first_divergence=tuple(sentences.divergence(comparison)),
        causes=tuple(causes),
        compared=tuple(_layers(comparison, dtype)),
        notes=tuple(sentences.remarks(comparison)),
        steps=header.steps,
        float32=tuple(_float32(comparison)) if comparison.decisive else (),
        figures=tuple(map(_figures, comparison.sides, records)),
        about_figures=_about_figures(comparison, at_once),
        checks=comparison.checks,
        records=_records(comparison),
        provenance=Provenance(
            command=command,
            versions=_versions(records),
            seed=header.spec.training.seed,
            weights="spec",
        ),
    )


def _rungs(comparison: Comparison, dtype: str) -> Iterator[Rung]:
    """A result for each rung of the ladder, and for the whole training where there is one."""
    for name in TITLES:
        checks = [check for check in comparison.checks if check.rung == name]
        if name != TRAINING or checks:
            yield compared_rung(name, checks, dtype)


def _float32(comparison: Comparison) -> Iterator[Float32Deviation]:
    for name in TITLES:
        if worst := comparison.worst("float32", name):
            yield Float32Deviation(name, worst.observed, worst.allowed)


def _layers(comparison: Comparison, dtype: str) -> Iterator[LayerComparison]:
    """Every layer in evaluation mode, as both ran, and with the reference's input if replayed."""
    at = {check.tensor: check for check in comparison.checks if _of_forward(check, dtype)}
    alone = {check.tensor: check for check in comparison.replayed if _of_forward(check, dtype)}
    names = [record.header.layers for record in (comparison.reference, comparison.other)]
    for layer in comparison.reference.header.spec.model.layers():
        if check := at.get(layer.name):
            own = alone.get(layer.name)
            yield LayerComparison(
                names[0].get(layer.name, ""),
                names[1].get(layer.name, ""),
                observed=own.observed if own else None,
                allowed=check.allowed,
                as_they_ran=check.observed,
                shape=layer.shape,
            )


def _of_forward(check: Check, dtype: str) -> bool:
    return (check.dtype, check.rung) == (dtype, "forward_eval")


def _figures(side: str, record: Record) -> Figures:
    header = record.header
    return Figures(
        side=side,
        parameters=header.counts.get("total", 0),
        trainable=header.counts.get("trainable", 0),
        accuracy=header.results.get(header.dtypes[-1], {}).get("accuracy"),
        step=header.timings.get("step"),
        peak_memory=header.peak_memory,
    )


def _about_figures(comparison: Comparison, at_once: bool) -> str:
    header = comparison.reference.header
    text = (
        f"accuracy: of the weights after {counted(header.steps, 'step')} from probe "
        f"weights, not of a trained model, {header.dtypes[-1]} on the test set; "
    )
    if "step" in header.timings:
        text += "ms/step: float32, median"
        text += ", both sides running at the same time; " if at_once else "; "
    return text + "peak MiB: resident memory of the whole process."


def _versions(records: Sequence[Record]) -> dict[str, str]:
    """Package to version; several versions where the records' differ."""
    found: dict[str, list[str]] = {}
    for record in records:
        python = record.header.platform.get("python")
        versions = {**({"python": python} if python else {}), **record.header.versions}
        for name, version in versions.items():
            if version not in found.setdefault(name, []):
                found[name].append(version)
    return {name: " and ".join(several) for name, several in found.items()}


def _records(comparison: Comparison) -> dict[str, Any]:
    """What only records know, as JSON data."""
    found = comparison.first_replayed
    return {
        "null_gradients": [vars(entry) for entry in comparison.null_gradients],
        "uninformative_in_float32": [f"{check.rung}/{check.tensor}" for check in comparison.blind],
        "with_the_same_input": [check_as_data(check) for check in comparison.replayed],
        "first_layer_with_the_same_input": (check_as_data(found) if found else None),
        "other_layers_with_the_same_input": list(comparison.others_replayed),
        "saturated": dict(comparison.saturated),
        "equivalences": [
            {**vars(test), "shown": test.shown, "refuted": test.refuted}
            for test in comparison.equivalences
        ],
        "overrides": {rung: vars(row) for rung, row in comparison.overrides.items()},
        "spec": comparison.reference.header.spec.to_json(),
        "headers": [_header(record) for record in (comparison.reference, comparison.other)],
    }


def _header(record: Record) -> dict[str, Any]:
    left_out = ("spec", "rounding", "notes")
    header = {name: value for name, value in vars(record.header).items() if name not in left_out}
    return {"path": str(record.path), **header}
