"""Errors of penalties, constraints and noise layers."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.flavour

REFUSALS: list[tuple[str, str, dict[str, Any], str]] = [
    ("regularizers", "L1", {"l1": -1.0}, "l1: received -1.0, accepted: 0 or more, finite"),
    ("regularizers", "L2", {"l2": float("nan")}, "l2: received nan"),
    ("regularizers", "L1L2", {"l2": float("inf")}, "l2: received inf"),
    ("regularizers", "L2", {"flavour": "keras4"}, "flavour: received 'keras4', accepted: tf_keras"),
    ("constraints", "MaxNorm", {"max_value": -1.0}, "max_value: received -1.0"),
    ("constraints", "MinMaxNorm", {"min_value": 2.0}, "received 2.0 and 1.0, accepted: 0 or more"),
    ("constraints", "MinMaxNorm", {"rate": 1.5}, "rate: received 1.5, accepted: 0 to 1"),
    ("constraints", "NonNeg", {"flavour": "keras4"}, "flavour: received 'keras4'"),
    ("noise", "GaussianNoise", {"stddev": -1.0}, "stddev: received -1.0, accepted: 0 or more"),
    ("noise", "GaussianNoise", {"stddev": 2.0, "flavour": "keras3"}, "accepted: 0 to 1"),
    ("noise", "GaussianDropout", {"rate": 1.5}, "rate: received 1.5, accepted: 0 to 1"),
    ("noise", "AlphaDropout", {"rate": -0.1}, "rate: received -0.1, accepted: 0 or more"),
    ("noise", "AlphaDropout", {"rate": 0.1, "flavour": "keras4"}, "flavour: received 'keras4'"),
]


@pytest.mark.parametrize(("file", "name", "given", "message"), REFUSALS, ids=str)
def test_refuses(file: str, name: str, given: dict[str, Any], message: str) -> None:
    """The error states the value received and what is accepted."""
    import importlib

    module = importlib.import_module(f"torch_impl.nn.{file}")
    with pytest.raises(ValueError, match="received") as caught:
        getattr(module, name)(**given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refuses_in_use() -> None:
    """Unknown names and wrong axes, layouts and shapes are errors."""
    import torch
    from torch import nn

    from torch_impl.nn.constraints import NonNeg, UnitNorm, constrain
    from torch_impl.nn.noise import AlphaDropout, GaussianNoise
    from torch_impl.nn.regularizers import L2, Penalties

    model = nn.Sequential(nn.Linear(3, 4), nn.LSTM(4, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"weights: received 'weight', accepted: 0\.weight, "):
        Penalties(model, {"weight": L2()})
    with pytest.raises(ValueError, match="activity: received '2', accepted: "):
        Penalties(model, activity={"2": L2()})
    Penalties(model, activity={"1": L2()})
    with pytest.raises(ValueError, match="activity of 1: received tuple, accepted: a module"):
        model(torch.ones(1, 3))
    with pytest.raises(ValueError, match=r"constraints: received 'bias', accepted: 0\.weight, "):
        constrain(optimizer, model, {"bias": NonNeg()})
    with pytest.raises(ValueError, match=r"axis: received \(2,\) for a weight of shape \(4, 3\)"):
        UnitNorm(axis=2)(model[0].weight)
    with pytest.raises(ValueError, match="in_proj_weight: received MultiheadAttention, accepted"):
        constrain(optimizer, nn.MultiheadAttention(4, 1), {"in_proj_weight": UnitNorm()})
    with pytest.raises(ValueError, match=r"noise: received shape \(3,\), accepted: \(2, 3\)"):
        GaussianNoise(0.1)(torch.ones(2, 3), torch.ones(3))
    with pytest.raises(ValueError, match=r"kept: received shape \(5, 2, 3\), accepted: what"):
        AlphaDropout(0.1)(torch.ones(2, 3), torch.ones(5, 2, 3))
