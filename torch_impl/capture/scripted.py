"""Scripted and traced models as graphs of operations, in which calls and weights can be seen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._export.converter import TS2EPConverter

MODE = {"batch_norm": 5, "dropout": 2, "alpha_dropout": 2, "feature_dropout": 2}
"""Operations to the place of the argument that says whether the model is trained."""


def as_graph(model: nn.Module, inputs: Sequence[Tensor]) -> nn.Module | None:
    """The model as a graph of operations with the same weights; None where that cannot be had.

    Args:
        model: any module; one that is not scripted or traced is returned as it is.
        inputs: that it is called with.
    """
    if not isinstance(model, torch.jit.ScriptModule):
        return model
    try:
        model.eval()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of counters that no operation reads
            graph = TS2EPConverter(model, tuple(inputs)).convert().module()
        with torch.no_grad():
            same = torch.allclose(graph(*inputs), model(*inputs), 1e-9, 1e-12)
    except Exception:
        return None
    graph.is_scripted = True
    _take_parameters(graph, {name: one.requires_grad for name, one in model.named_parameters()})
    return graph if same else None


def _take_parameters(graph: nn.Module, trained: Mapping[str, bool]) -> None:
    """Make parameters of these tensors, which the conversion to another dtype may have undone."""
    for path, requires_grad in trained.items():
        owner, _, name = path.rpartition(".")
        module = graph.get_submodule(owner)
        if name in module._buffers:
            value = module._buffers.pop(name)
            parameter = nn.Parameter(value.detach().clone(), requires_grad)
            module.register_parameter(name, parameter)


def set_mode(model: Any, training: bool) -> None:
    """Set the training mode; of a graph made of a scripted model also in its operations."""
    try:
        model.train(training)
    except NotImplementedError:  # an exported model keeps the mode that it was exported in
        for one in model.modules():
            one.training = training
    if not getattr(model, "is_scripted", False):
        return
    for node in model.graph.nodes:
        name = str(node.target).removeprefix("aten.").split(".")[0]
        if name in MODE:
            args = list(node.args)
            args[MODE[name]] = training
            node.args = tuple(args)
    model.recompile()
