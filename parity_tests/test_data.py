"""The data sets: what is embedded, where full sets are found, and what is refused.

The real sources are used where they are: the folder or wheel that PARITY_SOURCE_FASHION_MNIST,
PARITY_SOURCE_JAPANESE_VOWELS or PARITY_SOURCE_DIGITS names, or Debian's package. Without them
the same code runs on small made-up sources.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import http.server
import importlib.util
import io
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from parity import data, data_files, data_sources
from parity.errors import ParityError

REPO = Path(__file__).resolve().parent.parent
CARDS = REPO / "datasets"
EMBEDDED = tuple(name for name in data.DATASETS if data._ENTRIES[name].embedded_sha256)
FULL = tuple(data_sources.FULL_SETS)
ONLY_EMBEDDED = tuple(name for name in EMBEDDED if name not in FULL)
SHAPES = {
    "fashion_mnist": ((2000, 28, 28, 1), (500, 28, 28, 1)),
    "japanese_vowels": ((270, 29, 12), (370, 29, 12)),
    "digits": ((1433, 8, 8, 1), (364, 8, 8, 1)),
}


def card(name):
    return (CARDS / name / "README.md").read_text(encoding="utf-8")


def class_rows(name):
    """Return (label, class, train count, test count) of each row of the card's table."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (\d+) \| (\d+) \|$", card(name), re.MULTILINE)
    return [(int(label), title, int(train), int(test)) for label, title, train, test in rows]


def embedded_arrays(name):
    with np.load(CARDS / name / f"{name}.npz", allow_pickle=False) as arrays:
        return dict(arrays)


def refused(action, *parts):
    """Return the one-line message of the ParityError that `action` raises, holding all `parts`."""
    with pytest.raises(ParityError) as caught:
        action()
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message
    return message


def prepare_module(name):
    """Import datasets/<name>/prepare.py, which belongs to no package."""
    path = CARDS / name / "prepare.py"
    spec = importlib.util.spec_from_file_location(f"prepare_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def real_source(name):
    """Return the path of a real source, or skip the test."""
    default = data_sources.FULL_SETS[name].debian if name in FULL else None
    variable = f"PARITY_SOURCE_{name.upper()}"
    source = os.environ.get(variable) or default
    if not source or not Path(source).exists():
        pytest.skip(f"{variable} names no source of {name}")
    return Path(source)


class FakeSet:
    """A small full set in every form that the loader reads; images of 4×3 pixels, not square."""

    def __init__(self):
        rng = np.random.Generator(np.random.Philox(7))
        self.arrays = {}
        for split, per_class in (("train", 3), ("test", 2)):
            y = rng.permutation(np.repeat(np.arange(10, dtype=np.uint8), per_class))
            self.arrays[f"x_{split}"] = rng.integers(0, 256, (len(y), 4, 3), np.uint8)
            self.arrays[f"y_{split}"] = y
        self.idx = {key: data_files.encode_idx(a) for key, a in self.arrays.items()}
        self.npz = data_files.encode_npz(self.arrays)

    def write(self, place, packed=True):
        """Write the npz file where `place` names one, else the four IDX files into the folder."""
        if place.suffix == ".npz":
            data_files.write_whole(place, self.npz)
            return
        for key, file_name in data_sources.IDX_FILES.items():
            if packed:
                data_files.write_whole(place / f"{file_name}.gz", gzip.compress(self.idx[key]))
            else:
                data_files.write_whole(place / file_name, self.idx[key])


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Make the full sets small, and every place they are looked for lie in `tmp_path`."""
    small = FakeSet()
    for name, full in list(data_sources.FULL_SETS.items()):
        replaced = dataclasses.replace(
            full,
            sha256={key: data_files.sha256(raw) for key, raw in small.idx.items()},
            npz_sha256=full.npz_sha256 and data_files.sha256(small.npz),
            debian=full.debian and str(tmp_path / "debian"),
            url="nowhere:",
        )
        monkeypatch.setitem(data_sources.FULL_SETS, name, replaced)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "project" / "work").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project" / "work")
    return small


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Serve the folder `tmp_path/served` on this machine; yield the folder and its URL."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Move the package, as far as the embedded files are concerned, into `tmp_path`."""
    monkeypatch.setattr(data, "__file__", str(tmp_path / "parity" / "data.py"))
    return tmp_path


# What is embedded


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_file_has_the_checksum_of_the_table_and_of_the_card(name):
    """The file, the table in the code and the card agree on one checksum."""
    found = data_files.sha256((CARDS / name / f"{name}.npz").read_bytes())
    assert found == data._ENTRIES[name].embedded_sha256
    assert f"| SHA-256 | `{found}` |" in card(name)
    assert data.load(name, size="embedded").sha256 == found


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_set_has_the_promised_form(name):
    """Shapes, dtypes and ranges are those that the docstrings promise."""
    loaded = data.load(name, size="embedded")
    assert (loaded.name, loaded.size) == (name, "embedded")
    assert loaded.source.endswith(f"{name}.npz")
    assert (loaded.train.x.shape, loaded.test.x.shape) == SHAPES[name]
    assert loaded.input_shape == SHAPES[name][0][1:]
    for split in (loaded.train, loaded.test):
        assert split.x.dtype == np.float32
        assert split.y.dtype == np.int64
        assert set(split.y) == set(range(len(loaded.classes)))
        if name == "japanese_vowels":
            assert split.lengths.dtype == np.int64
        else:
            assert split.lengths is None
            assert (split.x.min(), split.x.max()) == (0, 1)


@pytest.mark.parametrize(("name", "brightest"), [("fashion_mnist", 255), ("digits", 16)])
def test_images_are_the_stored_pixels_divided_in_float32(name, brightest):
    """Scaling is one float32 division, bit for bit, and keeps rows and columns in place."""
    loaded, stored = data.load(name, size="embedded"), embedded_arrays(name)
    for split in ("train", "test"):
        expected = stored[f"x_{split}"].astype(np.float32) / np.float32(brightest)
        assert np.array_equal(getattr(loaded, split).x[..., 0], expected)
        assert np.array_equal(getattr(loaded, split).y, stored[f"y_{split}"])


def test_sequences_are_zero_after_their_last_step_and_only_there():
    """Padding is zero, and no length ends before or after the sequence does."""
    loaded = data.load("japanese_vowels")
    for split, longest in ((loaded.train, 26), (loaded.test, 29)):
        assert (split.lengths.min(), split.lengths.max()) == (7, longest)
        valid = np.arange(split.x.shape[1]) < split.lengths[:, np.newaxis]
        assert not split.x[~valid].any()
        assert split.x[valid].any(axis=1).all()


def test_splits_are_stratified():
    """Fashion-MNIST is balanced, digits is cut per class, the vowels train on 30 per speaker."""
    fashion = data.load("fashion_mnist", size="embedded")
    assert np.bincount(fashion.train.y).tolist() == [200] * 10
    assert np.bincount(fashion.test.y).tolist() == [50] * 10
    digits = data.load("digits")
    train, test = np.bincount(digits.train.y), np.bincount(digits.test.y)
    assert train.tolist() == ((train + test) * 4 // 5).tolist()
    assert len(digits.train.y) + len(digits.test.y) == 1797
    assert np.bincount(data.load("japanese_vowels").train.y).tolist() == [30] * 9


@pytest.mark.parametrize("name", EMBEDDED)
def test_no_training_example_is_a_test_example(name):
    """The two splits share no example."""
    loaded = data.load(name, size="embedded")
    train = {example.tobytes() for example in loaded.train.x}
    assert not [row for row, example in enumerate(loaded.test.x) if example.tobytes() in train]


# The cards


@pytest.mark.parametrize("name", EMBEDDED)
def test_card_counts_each_class_as_the_file_does(name):
    """The card's table of classes is what the loader gives."""
    loaded = data.load(name, size="embedded")
    labels = range(len(loaded.classes))
    train, test = np.bincount(loaded.train.y), np.bincount(loaded.test.y)
    assert class_rows(name) == [(c, loaded.classes[c], train[c], test[c]) for c in labels]


@pytest.mark.parametrize("name", EMBEDDED)
def test_card_tells_dtype_and_shape_of_every_stored_array(name):
    """The card's table of arrays names all arrays of the file, and nothing else."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+\d+) \| (\(.+?\)) \|", card(name), re.MULTILINE)
    stored = embedded_arrays(name)
    assert sorted(rows) == sorted((k, str(a.dtype), str(a.shape)) for k, a in stored.items())


@pytest.mark.parametrize("name", FULL)
def test_card_quotes_the_checksums_of_the_full_set(name):
    """Cards and code agree on the decompressed files, and on Keras's npz."""
    full = data_sources.FULL_SETS[name]
    for key, file_name in data_sources.IDX_FILES.items():
        assert re.search(f"`{file_name}` .*`{full.sha256[key]}`", card(name))
    if full.npz_sha256:
        assert f"`{full.npz_sha256}`" in card(name)


def test_mnist_card_counts_add_up():
    """MNIST's card names the ten classes of the code and 60,000 + 10,000 examples."""
    labels, classes, train, test = zip(*class_rows("mnist"), strict=True)
    assert (labels, classes) == (tuple(range(10)), data._ENTRIES["mnist"].classes)
    assert (sum(train), sum(test)) == (60000, 10000)


@pytest.mark.parametrize(
    ("name", "notices"),
    [
        ("fashion_mnist", ["Copyright © 2017 Zalando SE", "Permission is hereby granted"]),
        ("japanese_vowels", ["creativecommons.org/licenses/by/4.0", "Kudo", "Changes made"]),
        ("digits", ["creativecommons.org/licenses/by/4.0", "Kaynak", "Changes made"]),
        ("mnist", ["creativecommons.org/licenses/by-sa/3.0", "LeCun", "Not embedded"]),
    ],
)
def test_card_bears_the_notice_that_the_licence_asks_for(name, notices):
    """Each card carries its licence and whom to credit; the card travels with the file."""
    assert [notice for notice in notices if notice not in card(name)] == []


# What is asked for


def test_unknown_name_is_refused_with_the_known_ones():
    """An unknown name is answered by the list of names."""
    refused(lambda: data.load("cifar10"), "'cifar10'", ", ".join(data.DATASETS))


@pytest.mark.parametrize("name", data.DATASETS)
def test_unknown_size_is_refused_with_the_known_ones(name):
    """An unknown size is answered by the list of sizes."""
    refused(lambda: data.load(name, size="huge"), "--data", "'huge'", "auto, embedded, full")


@pytest.mark.parametrize("name", ONLY_EMBEDDED)
@pytest.mark.parametrize("asked", [{"size": "full"}, {"data_dir": "."}, {"download": True}])
def test_sets_without_a_full_size_refuse_to_be_asked_for_it(name, asked):
    """Digits and the vowels are whole as embedded; asking for more is an error, not ignored."""
    refused(lambda: data.load(name, **asked), name, "embedded only")


def test_mnist_refuses_the_embedded_size():
    """MNIST has no embedded file and says what to give instead."""
    refused(lambda: data.load("mnist", size="embedded"), "no embedded file", "--data-dir")


@pytest.mark.parametrize("asked", [{"data_dir": "."}, {"download": True}])
def test_embedded_size_contradicts_a_place_for_the_full_set(asked):
    """The embedded size with a folder or a download is an error: one of them would be ignored."""
    refused(lambda: data.load("fashion_mnist", size="embedded", **asked), "contradicts")


# Embedded files that are missing or damaged


@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.parametrize("folder", ["parity/_datasets", "datasets"])
def test_embedded_file_is_found_in_a_wheel_and_in_a_checkout(name, folder, checkout):
    """Both places work, each alone."""
    target = checkout / folder / name / f"{name}.npz"
    target.parent.mkdir(parents=True)
    shutil.copy(CARDS / name / target.name, target)
    assert data.load(name, size="embedded").source == str(target)


@pytest.mark.parametrize("name", EMBEDDED)
def test_missing_embedded_file_names_the_places(name, checkout):
    """A missing file is answered by both places and a remedy."""
    places = [checkout / folder / name for folder in ("parity/_datasets", "datasets")]
    refused(lambda: data.load(name, size="embedded"), *places, "restore")


@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.parametrize("damage", ["flipped", "truncated", "empty"])
def test_damaged_embedded_file_is_refused(name, damage, checkout):
    """A flipped bit, a cut and an empty file are all named, with both checksums."""
    raw = bytearray((CARDS / name / f"{name}.npz").read_bytes())
    if damage == "flipped":
        raw[len(raw) // 2] ^= 1
    else:
        raw = raw[: len(raw) // 2 if damage == "truncated" else 0]
    path = checkout / "datasets" / name / f"{name}.npz"
    data_files.write_whole(path, raw)
    expected = data._ENTRIES[name].embedded_sha256
    refused(lambda: data.load(name, size="embedded"), path, expected, data_files.sha256(raw))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x93NUMPY cut", b"text"])
def test_bytes_that_are_no_npz_are_refused(content):
    """What NumPy answers in many ways becomes one line."""
    refused(lambda: data_files.decode_npz(content, ("x",), "a.npz"), "a.npz")


def test_npz_that_needs_unpickling_is_refused():
    """A pickled array is never loaded: unpickling runs code."""
    out = io.BytesIO()
    np.savez(out, x=np.array([{}], object))
    refused(lambda: data_files.decode_npz(out.getvalue(), ("x",), "a.npz"), "a.npz")


def test_npz_that_lacks_an_array_is_refused():
    """The message lists what the file must hold."""
    raw = data_files.encode_npz({"x": np.zeros(1)})
    refused(lambda: data_files.decode_npz(raw, ("x", "y"), "a.npz"), "a.npz holds x", "x and y")


# Where the full set is found


def places_of(name, root):
    """Return all places by hand, in the documented order."""
    keras = {"fashion_mnist": "fashion-mnist", "mnist": "mnist.npz"}[name]
    raw = Path({"fashion_mnist": "FashionMNIST", "mnist": "MNIST"}[name], "raw")
    debian = [root / "debian"] if name == "fashion_mnist" else []
    return [
        *debian,
        root / "home/.keras/datasets" / keras,
        Path("data") / raw,
        Path("../data") / raw,
        root / "home/data" / raw,
        root / "home/.cache/parity" / name,
    ]


@pytest.mark.parametrize("name", FULL)
def test_places_are_tried_in_the_documented_order(name, fake, tmp_path):
    """With a copy everywhere the first is read; as each goes, the next; then none is left."""
    for place in places_of(name, tmp_path):
        fake.write(place)
    digests = set()
    for place in places_of(name, tmp_path):
        loaded = data.load(name)
        assert (loaded.source, loaded.size) == (str(place), "full")
        digests.add(loaded.sha256)
        place.unlink() if place.suffix == ".npz" else shutil.rmtree(place)
    assert len(digests) == 1  # npz or IDX, packed or not: the digest tells content alone
    if name in EMBEDDED:
        assert data.load(name).size == "embedded"
    refused(lambda: data.load(name, size="full"), "not found", *places_of(name, tmp_path))


@pytest.mark.parametrize("name", FULL)
def test_caches_follow_their_environment_variables(name, fake, tmp_path, monkeypatch):
    """KERAS_HOME and XDG_CACHE_HOME move the places, and an empty value does not."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "k"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    places = data_sources.places(name)
    assert (tmp_path / "k/datasets" / data_sources.FULL_SETS[name].keras) in places
    assert places[-1] == tmp_path / "c/parity" / name
    monkeypatch.setenv("KERAS_HOME", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert list(data_sources.places(name)) == places_of(name, tmp_path)


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("layout", ["files", "keras", "torchvision"])
def test_data_dir_may_have_any_of_the_layouts(name, packed, layout, fake, tmp_path):
    """The folder itself, and Keras's and torchvision's layouts below it, plain or .gz, are read."""
    full = data_sources.FULL_SETS[name]
    below = {"files": ".", "keras": full.keras, "torchvision": f"{full.torchvision}/raw"}[layout]
    fake.write(tmp_path / "mine" / below, packed)
    loaded = data.load(name, data_dir=tmp_path / "mine")
    assert (loaded.size, loaded.source) == ("full", str(tmp_path / "mine" / below))
    assert loaded.input_shape == (4, 3, 1)
    for split in ("train", "test"):
        expected = fake.arrays[f"x_{split}"].astype(np.float32) / np.float32(255)
        assert np.array_equal(getattr(loaded, split).x[..., 0], expected)
        assert np.array_equal(getattr(loaded, split).y, fake.arrays[f"y_{split}"])


def test_data_dir_may_name_the_npz_file_itself(fake, tmp_path):
    """Keras's file is accepted without its folder."""
    fake.write(tmp_path / "mnist.npz")
    assert data.load("mnist", data_dir=str(tmp_path / "mnist.npz")).size == "full"


@pytest.mark.parametrize("name", FULL)
def test_data_dir_is_the_only_place_looked_in(name, fake, tmp_path):
    """A folder that the user names is replaced neither by another nor by the embedded file."""
    places = places_of(name, tmp_path)
    fake.write(places[0])
    message = refused(lambda: data.load(name, data_dir=tmp_path / "mine"), tmp_path / "mine")
    assert str(places[0]) not in message


@pytest.mark.parametrize("name", FULL)
def test_incomplete_folder_is_passed_over_and_says_what_it_lacks(name, fake, tmp_path):
    """Three of four files are not a set; the message names the fourth."""
    fake.write(tmp_path / "mine")
    (tmp_path / "mine" / "t10k-labels-idx1-ubyte.gz").unlink()
    lacks = f"{tmp_path / 'mine'} (lacks t10k-labels-idx1-ubyte)"
    refused(lambda: data.load(name, data_dir=tmp_path / "mine"), lacks, "--download")


# Full sets that are damaged


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("key", data_sources.IDX_FILES)
@pytest.mark.parametrize("packed", [True, False])
def test_flipped_bit_in_any_file_is_refused(name, key, packed, fake, tmp_path):
    """Every one of the four files is checked, by the checksum of its decompressed bytes."""
    fake.write(tmp_path, packed)
    flipped = bytearray(fake.idx[key])
    flipped[-1] ^= 1
    path = tmp_path / (data_sources.IDX_FILES[key] + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(flipped) if packed else flipped)
    expected = data_sources.FULL_SETS[name].sha256[key]
    found = data_files.sha256(flipped)
    refused(lambda: data.load(name, data_dir=tmp_path), path, expected, found, "delete it")


@pytest.mark.parametrize("keep", [0, 5, 40])
def test_truncated_gz_is_refused(keep, fake, tmp_path):
    """A cut download, wherever it was cut, is one line and no traceback."""
    fake.write(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:keep])
    expected = data_sources.FULL_SETS["fashion_mnist"].sha256["x_train"]
    refused(lambda: data.load("fashion_mnist", data_dir=tmp_path), path, expected, "delete it")


def test_truncated_npz_is_refused(fake, tmp_path):
    """Keras's file is checked whole."""
    path = tmp_path / "mnist.npz"
    path.write_bytes(fake.npz[:-9])
    found = data_files.sha256(fake.npz[:-9])
    refused(lambda: data.load("mnist", data_dir=tmp_path), path, found, "delete it")


def test_damaged_copy_is_not_passed_over_for_the_next_place(fake, tmp_path):
    """The automatic size reports a damaged copy rather than use another set in silence."""
    path = tmp_path / "debian" / "t10k-labels-idx1-ubyte"
    fake.write(tmp_path / "debian", packed=False)
    path.write_bytes(b"")
    refused(lambda: data.load("fashion_mnist"), path)


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b"", "0 bytes"),
        (b"\x00\x00\x08\x03" + b"\x00\x00\x00\x01" * 3 + b"\x07", "magic 2051"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x02\x07", "announces 10"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x00\x07", "announces 8"),
    ],
)
def test_bytes_that_are_no_label_file_are_refused(raw, part):
    """Header, magic number and size of an IDX file are checked, whatever its checksum."""
    refused(lambda: data_files.decode_idx(raw, 1, "labels"), "labels", part)


def test_idx_header_that_announces_more_than_any_memory_is_refused():
    """Huge sizes neither overflow nor allocate."""
    raw = b"\x00\x00\x08\x03" + b"\xff\xff\xff\xff" * 3
    refused(lambda: data_files.decode_idx(raw, 3, "images"), "images", "announces")


def test_files_of_unequal_counts_are_refused(fake, tmp_path, monkeypatch):
    """Labels that are fewer than the images are named with their source."""
    full = data_sources.FULL_SETS["mnist"]
    fake.idx["y_train"] = data_files.encode_idx(fake.arrays["y_train"][:-1])
    sums = {key: data_files.sha256(raw) for key, raw in fake.idx.items()}
    monkeypatch.setitem(data_sources.FULL_SETS, "mnist", dataclasses.replace(full, sha256=sums))
    fake.write(tmp_path)
    refused(lambda: data.load("mnist", data_dir=tmp_path), "mnist train", tmp_path, "(29,)", "30")


# Downloads


@pytest.mark.parametrize("name", FULL)
def test_download_is_kept_and_found_again(name, fake, mirror, tmp_path):
    """A set that is fetched once is read from the cache afterwards, with an equal digest."""
    folder, url = mirror
    fake.write(folder)
    fetched = data.load(name, download=True, mirror=f"{url}/")
    cache = tmp_path / "home/.cache/parity" / name
    assert str(cache) in fetched.source
    assert url in fetched.source
    assert sorted(path.name for path in cache.iterdir()) == sorted(
        f"{file_name}.gz" for file_name in data_sources.IDX_FILES.values()
    )
    again = data.load(name)
    assert (again.source, again.sha256) == (str(cache), fetched.sha256)
    assert np.array_equal(again.train.x, fetched.train.x)


def test_download_goes_to_the_named_folder(fake, mirror, tmp_path):
    """With a folder given, that is where the files are kept, and nowhere else."""
    folder, url = mirror
    fake.write(folder)
    data.load("mnist", data_dir=tmp_path / "mine", download=True, mirror=url)
    assert data.load("mnist", data_dir=tmp_path / "mine").size == "full"
    assert not (tmp_path / "home").exists()


def test_nothing_is_fetched_where_a_copy_is_found(fake, tmp_path):
    """Allowing a download does not force one."""
    fake.write(tmp_path / "debian")
    loaded = data.load("fashion_mnist", download=True, mirror="nowhere:")
    assert loaded.source == str(tmp_path / "debian")


@pytest.mark.parametrize("key", data_sources.IDX_FILES)
@pytest.mark.parametrize("damage", ["other content", "truncated", "absent"])
def test_download_that_fails_leaves_nothing_behind(key, damage, fake, mirror, tmp_path):
    """Whichever file is bad, and however, the error names its URL and the disk stays untouched."""
    folder, url = mirror
    fake.write(folder)
    path = folder / f"{data_sources.IDX_FILES[key]}.gz"
    if damage == "other content":
        path.write_bytes(gzip.compress(b"other"))
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.unlink()
    refused(lambda: data.load("fashion_mnist", download=True, mirror=url), f"{url}/{path.name}")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("url", ["nonsense", "nowhere://a", "http://127.0.0.1:1"])
def test_mirror_that_cannot_be_reached_is_one_line(url, fake, tmp_path):
    """A bad or silent address is answered by the URL and the way without a download."""
    refused(lambda: data.load("mnist", download=True, mirror=url), url, "--data-dir")
    assert not (tmp_path / "home").exists()


def test_folder_that_cannot_be_written_is_one_line(fake, mirror, tmp_path):
    """A file where the folder should be is named."""
    folder, url = mirror
    fake.write(folder)
    (tmp_path / "mine").write_text("")
    refused(
        lambda: data.load("mnist", data_dir=tmp_path / "mine", download=True, mirror=url),
        tmp_path / "mine",
        "cannot write",
    )


# check()


def images(**changed):
    fields = {"x": np.zeros((3, 2, 2, 1), np.float32), "y": np.array([0, 1, 2]), "lengths": None}
    return data.Split(**(fields | changed))


def sequences(**changed):
    fields = {
        "x": np.zeros((3, 4, 2), np.float32),
        "y": np.array([0, 1, 2]),
        "lengths": np.array([1, 4, 2]),
    }
    return data.Split(**(fields | changed))


@pytest.mark.parametrize("split", [images(), sequences()])
def test_sound_splits_pass(split):
    """What is right is not refused; labels and lengths may take either end of their range."""
    data.check(split, 3, "sound")


def spoilt(value, index):
    x = np.zeros((3, 2, 2, 1), np.float32)
    x[index] = value
    return x


@pytest.mark.parametrize(
    ("split", "part"),
    [
        (images(x=np.zeros((0, 2, 2, 1)), y=np.array([], int)), "(0, 2, 2, 1)"),
        (images(x=np.zeros((3, 2, 0, 1))), "(3, 2, 0, 1)"),
        (images(x=np.zeros((3, 2, 2))), "accepted: (N, H, W, C)"),
        (images(x=spoilt(np.nan, (1, 0, 1, 0))), "x[1, 0, 1, 0] is nan"),
        (images(x=spoilt(np.inf, (2, 1, 1, 0))), "x[2, 1, 1, 0] is inf"),
        (images(y=np.array([0, 1, 3])), "y[2] is 3; accepted: 0 to 2"),
        (images(y=np.array([-1, 1, 2])), "y[0] is -1; accepted: 0 to 2"),
        (images(y=np.array([0, 1])), "y has shape (2,)"),
        (images(y=np.array([[0, 1, 2]])), "y has shape (1, 3)"),
        (images(y=np.array([0.0, 1.0, 2.0])), "y has dtype float64"),
        (sequences(x=np.zeros((3, 4, 2, 1))), "accepted: (N, T, D)"),
        (sequences(lengths=np.array([1, 0, 2])), "lengths[1] is 0; accepted: 1 to 4"),
        (sequences(lengths=np.array([1, 4, 5])), "lengths[2] is 5; accepted: 1 to 4"),
        (sequences(lengths=np.array([1, 4])), "lengths has shape (2,)"),
        (sequences(lengths=np.array([1.0, 4.0, 2.0])), "lengths has dtype float64"),
    ],
)
def test_unusable_splits_are_refused_by_name(split, part):
    """Each fault is named with the split, the place, the value and what is accepted."""
    refused(lambda: data.check(split, 3, "my split"), "my split: ", part)


# prepare.py


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
    full = data.load("fashion_mnist", data_dir=real_source("fashion_mnist"))
    embedded = data.load("fashion_mnist", size="embedded")
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
    expected = data_files.sha256(text.encode())
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
        ([["1.0"]] * 11 + [["0.123456789"]], "float32 does not hold 0.123456789"),
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
    monkeypatch.setattr(module, "SHA256", data_files.sha256(text.encode()))
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
    converted = data.load("mnist", data_dir=tmp_path / "idx")
    original = data.load("mnist", data_dir=tmp_path / "mnist.npz")
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
    assert data_files.sha256(b"1") in error
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


@pytest.mark.parametrize("name", data.DATASETS)
def test_prepare_runs_as_a_script(name, tmp_path):
    """Started by its path it finds the project and answers a missing source with one line."""
    command = [sys.executable, str(CARDS / name / "prepare.py"), "--source", str(tmp_path / "no")]
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "no") in done.stderr
