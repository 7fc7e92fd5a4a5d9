"""What is written is read back; nothing is overwritten; no half record remains."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from parity.errors import ParityError
from parity.ladder import record
from parity.ladder.record import Header
from parity.system import checksums, safetensors_view
from parity_tests.record.made_up import HEADER, TENSORS, refused

WRITER = """
import dataclasses, sys
from pathlib import Path
import numpy as np
from parity.ladder import record
from parity_tests.record.made_up import HEADER
big = {f"float64/parameters/{n}": np.zeros(1 << 20) for n in range(8)}
print("writing", flush=True)
for number in range(1000):
    record.write(Path(sys.argv[1]) / str(number), HEADER, big)
"""


def test_what_is_read_is_what_was_written(made: Path) -> None:
    """Header and tensors come back equal, to the bit and the type."""
    with record.read(made) as found:
        assert found.header == HEADER
        assert found.names == tuple(sorted(TENSORS))
        for name, value in TENSORS.items():
            np.testing.assert_array_equal(found.tensor(name), value, strict=True)
            assert found.shape(name) == value.shape
            assert found.dtype(name) == "F64"


def test_header_tells_all_that_a_reader_needs(made: Path) -> None:
    """record.json holds every field of the header, the format, and the checksum of the tensors."""
    content = json.loads((made / record.HEADER).read_text())
    fields = {entry.name for entry in dataclasses.fields(Header)}
    assert set(content) == {*fields, "format", "version", "tensors"}
    assert content["spec"]["training"]["seed"] == 0
    assert set(content["tensors"]) == {"sha256"}


def test_numbers_that_json_lacks_are_text(tmp_path: Path) -> None:
    """A loss that is not finite stands as text, is read back, and leaves strict JSON behind."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    scores = {"accuracy": math.nan, "loss": math.inf, "epochs": [{"loss": -math.inf}]}
    header = dataclasses.replace(HEADER, results={"float64": scores}, rounding={"x": math.inf})
    record.write(tmp_path / "made", header, TENSORS)
    text = (tmp_path / "made" / record.HEADER).read_text()
    content = json.loads(text, parse_constant=refuse)
    assert content["results"]["float64"]["accuracy"] == "nan"
    with record.read(tmp_path / "made") as found:
        assert repr(found.header.results["float64"]) == repr(scores)
        assert found.header.rounding == {"x": math.inf}


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"NaN"', '"1.0"'])
def test_number_that_is_not_strict_is_refused(made: Path, number: str) -> None:
    """Python's own spellings, numbers beyond any float, and other text are no numbers."""
    file = made / record.HEADER
    file.write_text(file.read_text().replace('"loss": 1.0', f'"loss": {number}'))
    refused(made)


def test_others_may_read_it(made: Path) -> None:
    """Neither the folder nor a file in it keeps the mode of a temporary file."""
    assert made.stat().st_mode & 0o777 == 0o755
    assert {entry.stat().st_mode & 0o777 for entry in made.iterdir()} == {0o644}


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_nothing_is_overwritten(tmp_path: Path, kind: str) -> None:
    """A file, a full folder or a dangling link in the way stays as it is."""
    path, within = tmp_path / "out", tmp_path / "out" / "mine"
    if kind == "file":
        path.write_text("mine")
    elif kind == "folder":
        path.mkdir()
        within.write_text("mine")
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ParityError, match=r"--out: cannot write .*out"):
        record.write(path, HEADER, TENSORS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    if kind == "link":
        assert path.is_symlink()
    else:
        assert (path if kind == "file" else within).read_text() == "mine"


def test_killed_writer_leaves_no_half_record(tmp_path: Path) -> None:
    """After SIGKILL in the middle of writing, whatever has a record's name is a whole record."""
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    with writer.stdout as printed:
        printed.readline()
        while True:  # stopped, it cannot finish a record between the look and the kill
            writer.send_signal(signal.SIGSTOP)
            assert os.WIFSTOPPED(os.waitpid(writer.pid, os.WUNTRACED)[1]), "it ended by itself"
            if any(tmp_path.glob(".[0-9]*-*")):
                break
            writer.send_signal(signal.SIGCONT)
        writer.kill()
        writer.wait()
    assert any(entry.name.startswith(".") for entry in tmp_path.iterdir()), "killed too late"
    for path in tmp_path.glob("[0-9]*"):
        with record.read(path) as found:
            assert len(found.names) == 8


def test_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """A file that cannot grow ends in a ParityError, with nothing left behind."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, before[1]))
    try:
        with pytest.raises(ParityError, match="--out: cannot write"):
            record.write(tmp_path / "out", HEADER, TENSORS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("element", sorted(safetensors_view.ELEMENTS))
def test_entries_of_every_dtype(tmp_path: Path, element: str) -> None:
    """Any slice of a tensor in a file is that of the array it was, in C order."""
    dtype = safetensors_view.ELEMENTS[element]
    values = np.random.default_rng(0).integers(0, 100, (5, 700, 3)).astype(dtype)
    name = "float64/parameters/kernel"
    others = {"float64/loss/loss": np.ones((), np.uint8), "float64/parameters/a": np.ones(3, "f2")}
    record.write(tmp_path / "made", HEADER, {name: values, **others})
    with record.read(tmp_path / "made") as found:
        entries = found.entries(name)
        assert (entries.size, entries.shape) == (values.size, values.shape)
        for part in (slice(None), slice(0, 1), slice(4097, 9000), slice(7, 7), slice(10499, 20000)):
            np.testing.assert_array_equal(entries[part], values.reshape(-1)[part], strict=True)


@pytest.mark.parametrize("shape", [(), (0,), (5, 0), (3,)])
def test_tensors_of_odd_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Scalars and empty tensors come back as they were."""
    value = np.ones(shape)
    record.write(tmp_path / "odd", HEADER, {"float64/loss/odd": value})
    with record.read(tmp_path / "odd") as found:
        np.testing.assert_array_equal(found.tensor("float64/loss/odd"), value, strict=True)
        assert found.entries("float64/loss/odd").size == value.size


COMPARING = """
import sys
from pathlib import Path
from parity.ladder import record
from parity.numerics.distance import measure
from parity.system.memory import PeakMemory
with record.read_all(*map(Path, sys.argv[1:])) as both:
    memory = PeakMemory()
    before = memory.bytes()
    tensors = [side.entries("float64/parameters/large") for side in both]
    measure(tensors[0].shape, *tensors)
    print(memory.bytes() - before)
"""


def test_memory_does_not_grow_with_the_record(tmp_path: Path) -> None:
    """Comparing two tensors of 200 MB takes much less memory than either."""
    large = np.zeros((5000, 5000))
    for side in ("a", "b"):
        record.write(tmp_path / side, HEADER, {"float64/parameters/large": large})
    command = [sys.executable, "-c", COMPARING, str(tmp_path / "a"), str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < large.nbytes / 2


def test_checksums_of_several_files(tmp_path: Path) -> None:
    """Each file's own, in the order given, of an empty one and of one read in parts."""
    contents = [b"", b"one", bytes(range(256)) * 5000]
    files = [tmp_path / str(number) for number in range(3)]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    assert checksums.sha256(files) == [hashlib.sha256(content).hexdigest() for content in contents]


def test_interrupted_write_removes_its_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while a record is written leaves nothing."""

    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)  # to this thread, and so at once

    monkeypatch.setattr(checksums, "sha256", interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in background jobs
    try:
        with pytest.raises(KeyboardInterrupt):
            record.write(tmp_path / "out", HEADER, TENSORS)
    finally:
        signal.signal(signal.SIGINT, before)
    assert not list(tmp_path.iterdir())
