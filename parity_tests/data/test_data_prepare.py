"""Each data set's prepare.py: what it makes of its source, and which sources it refuses.

The real sources are used where they are: the folder or wheel that PARITY_SOURCE_FASHION_MNIST,
PARITY_SOURCE_JAPANESE_VOWELS or PARITY_SOURCE_DIGITS names, or Debian's package. Without them
the same code runs on small made-up sources.
"""

from __future__ import annotations

import gzip
import importlib.util
import io
import os
import subprocess
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from parity.data import datasets, sources
from parity.data.files import sha256
from parity_tests.support.data_sets import CARDS, EMBEDDED, FULL, REPO, fake_full_sets


def prepare_module(name):
    """Import datasets/<name>/prepare.py, which belongs to no package."""
    path = CARDS / name / "prepare.py"
    spec = importlib.util.spec_from_file_location(f"prepare_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def real_source(name):
    """Return the path of a real source, or skip the test."""
    default = sources.FULL_SETS[name].debian if name in FULL else None
    variable = f"PARITY_SOURCE_{name.upper()}"
    source = os.environ.get(variable) or default
    if not source or not Path(source).exists():
        pytest.skip(f"{variable} names no source of {name}")
    return Path(source)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    return fake_full_sets(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", EMBEDDED)
def test_prepare_reproduces_the_embedded_file(name, tmp_path):
    """From the real source comes the file in the repository: its arrays, and its bytes."""
    source, out = real_source(name), tmp_path / "out.npz"
    assert prepare_module(name).main(["--source", str(source), "--out", str(out)]) == 0
    made, stored = out.read_bytes(), CARDS / name / f"{name}.npz"
    with zipfile.ZipFile(io.BytesIO(made)) as new, zipfile.ZipFile(stored) as old:
        assert new.namelist() == old.namelist()
        assert [member for member in new.namelist() if new.read(member) != old.read(member)] == []
    if "ng" not in zlib.ZLIB_RUNTIME_VERSION:  # zlib-ng compresses the same bytes otherwise
        assert made == stored.read_bytes()


def test_real_full_set_is_balanced_and_holds_the_subset():
    """The full Fashion-MNIST has 6,000 and 1,000 per class, and begins with the embedded subset."""
    full = datasets.load("fashion_mnist", data_dir=real_source("fashion_mnist"))
    embedded = datasets.load("fashion_mnist", size="embedded")
    assert np.bincount(full.train.y).tolist() == [6000] * 10
    assert np.bincount(full.test.y).tolist() == [1000] * 10
    for label in range(10):
        first = full.train.x[full.train.y == label][:200]
        assert np.array_equal(embedded.train.x[embedded.train.y == label], first)


def test_fashion_mnist_prepare_takes_the_first_of_each_class(fake, tmp_path, monkeypatch):
    """The subset is the first examples of each class, in the order of the file, in equal bytes."""
    fake.write(tmp_path / "source")
    module = prepare_module("fashion_mnist")
    monkeypatch.setattr(module, "PER_CLASS", {"train": 2, "test": 1})
    for out in ("one.npz", "two.npz"):
        arguments = ["--source", str(tmp_path / "source"), "--out", str(tmp_path / out)]
        assert module.main(arguments) == 0
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()
    with np.load(tmp_path / "one.npz") as made:
        for split, count in (("train", 2), ("test", 1)):
            seen, kept = dict.fromkeys(range(10), 0), []
            for row, label in enumerate(fake.arrays[f"y_{split}"].tolist()):
                seen[label] += 1
                if seen[label] <= count:
                    kept.append(row)
            assert np.array_equal(made[f"x_{split}"], fake.arrays[f"x_{split}"][kept])
            assert np.array_equal(made[f"y_{split}"], fake.arrays[f"y_{split}"][kept])


def ts_text(sequences, labels):
    lines = [
        ":".join([*(",".join(channel) for channel in channels), str(label)])
        for channels, label in zip(sequences, labels, strict=True)
    ]
    return "\n".join(["#comment", "@classLabel true 1 2", "@data", *lines, ""])


def vowel_source(tmp_path, monkeypatch, text, as_wheel=False):
    """Write `text` as both splits, let prepare.py expect it, and return the module and source."""
    module = prepare_module("japanese_vowels")
    expected = sha256(text.encode())
    monkeypatch.setattr(module, "SHA256", {"train": expected, "test": expected})
    files = [f"JapaneseVowels_{split}.ts" for split in ("TRAIN", "TEST")]
    if as_wheel:
        source = tmp_path / "aeon.whl"
        with zipfile.ZipFile(source, "w") as wheel:
            for file_name in files:
                wheel.writestr(f"{module.FOLDER}/{file_name}", text)
        return module, source
    for file_name in files:
        (tmp_path / file_name).write_text(text)
    return module, tmp_path


@pytest.mark.parametrize("as_wheel", [True, False])
def test_japanese_vowels_prepare_pads_and_counts(as_wheel, tmp_path, monkeypatch):
    """Channels become columns, short sequences are padded, labels count from 0."""
    short = [[f"{c}.5", "-8.3E-4"] for c in range(12)]
    long = [[f"-1.{c:06d}"] * 29 for c in range(12)]
    text = ts_text([short, long], [1, 9])
    module, source = vowel_source(tmp_path, monkeypatch, text, as_wheel)
    out = tmp_path / "out.npz"
    assert module.main(["--source", str(source), "--out", str(out)]) == 0
    with np.load(out) as made:
        assert made["lengths_train"].tolist() == [2, 29]
        assert made["y_test"].tolist() == [0, 8]
        assert made["x_train"].shape == (2, 29, 12)
        assert made["x_train"][0, 0].tolist() == [c + 0.5 for c in range(12)]
        assert (made["x_train"][0, 1] == np.float32(-8.3e-4)).all()
        assert not made["x_train"][0, 2:].any()
        assert made["x_test"][1, 28, 11] == np.float32(-1.000011)


@pytest.mark.parametrize(
    ("sequence", "part"),
    [
        ([["1.0"]] * 11, "11 channels"),
        ([["1.0"]] * 11 + [["1.0", "2.0"]], "[1, 2] steps"),
        ([["1.0"] * 30] * 12, "[30] steps"),
        ([["1.0"]] * 11 + [["0.123456789"]], "float32 does not represent 0.123456789"),
    ],
)
def test_japanese_vowels_prepare_refuses_what_it_cannot_hold(
    sequence, part, tmp_path, monkeypatch, capsys
):
    """A ragged or too long sequence, or one that float32 would round, writes no file."""
    module, source = vowel_source(tmp_path, monkeypatch, ts_text([sequence], [1]))
    out = tmp_path / "out.npz"
    assert module.main(["--source", str(source), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert part in error
    assert not out.exists()


def test_digits_prepare_cuts_each_class_at_four_fifths(tmp_path, monkeypatch):
    """Of each class the first four fifths, rounded down, train, in the order of the file."""
    labels = [row % 10 for row in range(96)]  # ten each of 0 to 5, nine each of 6 to 9
    rows = [",".join([*(["16"] * 63), str(row % 17), str(c)]) for row, c in enumerate(labels)]
    text = "\n".join(rows) + "\n"
    module = prepare_module("digits")
    monkeypatch.setattr(module, "SHA256", sha256(text.encode()))
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress(text.encode()))
    out = tmp_path / "out.npz"
    assert module.main(["--source", str(tmp_path), "--out", str(out)]) == 0
    with np.load(out) as made:
        assert np.bincount(made["y_train"]).tolist() == [8] * 6 + [7] * 4
        assert np.bincount(made["y_test"]).tolist() == [2] * 10
        assert made["x_train"].dtype == np.uint8
        kept = [*range(70), *range(70, 76)]
        assert made["x_train"][:, 7, 7].tolist() == [row % 17 for row in kept]


def test_mnist_prepare_turns_keras_file_into_idx_files(fake, tmp_path, capsys):
    """The converted folder loads as the npz does, with an equal digest, which is printed."""
    fake.write(tmp_path / "mnist.npz")
    module = prepare_module("mnist")
    arguments = ["--source", str(tmp_path / "mnist.npz"), "--out", str(tmp_path / "idx")]
    assert module.main(arguments) == 0
    converted = datasets.load("mnist", data_dir=tmp_path / "idx")
    original = datasets.load("mnist", data_dir=tmp_path / "mnist.npz")
    assert converted.sha256 == original.sha256
    assert converted.sha256 in capsys.readouterr().out
    assert np.array_equal(converted.train.x, original.train.x)


def test_mnist_prepare_without_out_only_checks(fake, tmp_path):
    """Checking a folder writes nothing."""
    fake.write(tmp_path / "idx")
    before = sorted(tmp_path.rglob("*"))
    assert prepare_module("mnist").main(["--source", str(tmp_path / "idx")]) == 0
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("japanese_vowels", "JapaneseVowels_TRAIN.ts"),
        ("digits", "digits.csv.gz"),
    ],
)
def test_prepare_refuses_another_source(name, member, tmp_path, capsys):
    """A source that is not the pinned one is refused by its checksum, and nothing is written."""
    (tmp_path / member).write_bytes(gzip.compress(b"1") if member.endswith(".gz") else b"1")
    out = tmp_path / "out.npz"
    assert prepare_module(name).main(["--source", str(tmp_path), "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert sha256(b"1") in error
    assert member in error
    assert not out.exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", None])
@pytest.mark.parametrize("name", ["japanese_vowels", "digits"])
def test_prepare_refuses_a_wheel_it_cannot_read(name, content, tmp_path, capsys):
    """An empty, cut or absent wheel, and one of another package, are one line each."""
    wheel = tmp_path / "a.whl"
    if content is not None:
        wheel.write_bytes(content)
    assert prepare_module(name).main(["--source", str(wheel)]) == 2
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("other.py", "")
    assert prepare_module(name).main(["--source", str(wheel)]) == 2
    errors = capsys.readouterr().err.splitlines()
    assert [line.startswith("error: ") and str(wheel) in line for line in errors] == [True, True]


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_prepare_runs_as_a_script(name, tmp_path):
    """Started by its path it finds the project and answers a missing source with one line."""
    command = [sys.executable, str(CARDS / name / "prepare.py"), "--source", str(tmp_path / "no")]
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "no") in done.stderr
