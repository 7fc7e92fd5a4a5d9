"""Whether one of two models carries states from batch to batch, and the other does not."""

from __future__ import annotations

from parity.adapters.trainer import Batch, Trainer
from parity.numerics import tolerance
from parity.numerics.distance import relative_error
from parity.verdict.result import Cause, Proof

ID = "recurrent.stateful"
LIMIT = tolerance.FLOAT64["loss"].limit


def causes_of(k: Trainer, t: Trainer, batch: Batch) -> list[Cause]:
    """The cause, where the losses of a batch are equal once, and differ when it comes again.

    Args:
        k: the Keras trainer.
        t: the PyTorch trainer; both are started anew, and no step is made.
        batch: what both are called with.
    """
    k.start()
    t.start()
    first, second = (
        tuple(one.gradients(batch, 0, ())[0] for one in (k, t)) for _ in ("first", "again")
    )
    names = (*k.carried(), *t.carried())
    proof = Proof(relative_error(*second), relative_error(*first))
    k.start()
    t.start()
    if not proof.after <= LIMIT < proof.before:
        return []
    keeps = [
        "kept from batch to batch" if relative_error(*both) > LIMIT else "zero for each batch"
        for both in zip(first, second, strict=True)
    ]
    return [Cause(ID, names[0] if names else "states", keeps[0], keeps[1], proof, "steps")]
