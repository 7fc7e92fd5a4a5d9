"""``parity run`` names the cause of what differs between the two implementations."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import torch_impl

ROOT = Path(torch_impl.__file__).parents[1]
PARITY = [sys.executable, "-c", "from parity.cli import main; main()"]


@pytest.mark.full("keras3")
@pytest.mark.flavour
def test_a_fault_in_the_twin_is_reported_with_its_cause(tmp_path: Path, flavour: str) -> None:
    """Another epsilon in a copy of the PyTorch twin: its name, its layer and the proof."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "torch_impl", tmp_path / "torch_impl", ignore=ignored)
    layers = tmp_path / "torch_impl" / "parts" / "layers.py"
    right, wrong = "eps=as_float32(spec.batch_norm_epsilon)", "eps=1e-5"
    text = layers.read_text()
    assert text.count(right) == 1
    layers.write_text(text.replace(right, wrong))
    path = os.pathsep.join((str(tmp_path), str(ROOT)))
    flags = "--model cnn --dataset digits --threads 1 --steps 1 --dtype float64 --channels 4 4"
    done = subprocess.run(
        [*PARITY, "run", *flags.split(), "--flavour", flavour, "--out=out", "--json=out.json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "batch_norm.epsilon" in done.stdout
    model = json.loads((tmp_path / "out.json").read_text())
    assert model["first_divergence"]["rung"] == "forward_eval"
    causes = model["causes"]
    assert {(one["id"], one["layer"]) for one in causes} == {
        ("batch_norm.epsilon", "batch_norm_1"),
        ("batch_norm.epsilon", "batch_norm_2"),
    }
    assert all(one["proof"]["after"] < 1e-12 < one["proof"]["before"] for one in causes)
