"""Full sets: where they are looked for and downloaded from, and damaged ones that are refused."""

from __future__ import annotations

import dataclasses
import functools
import gzip
import http.server
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from parity.data import datasets, files, sources
from parity_tests.support.data_sets import EMBEDDED, FULL, fake_full_sets, refused


@pytest.fixture
def fake(tmp_path, monkeypatch):
    return fake_full_sets(tmp_path, monkeypatch)


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
        loaded = datasets.load(name)
        assert (loaded.source, loaded.size) == (str(place), "full")
        digests.add(loaded.sha256)
        place.unlink() if place.suffix == ".npz" else shutil.rmtree(place)
    assert len(digests) == 1  # npz or IDX, packed or not: the digest tells content alone
    if name in EMBEDDED:
        assert datasets.load(name).size == "embedded"
    refused(lambda: datasets.load(name, size="full"), "not found", *places_of(name, tmp_path))


@pytest.mark.parametrize("name", FULL)
def test_caches_follow_their_environment_variables(name, fake, tmp_path, monkeypatch):
    """KERAS_HOME and XDG_CACHE_HOME move the places, and an empty value does not."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "k"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    places = sources.places(name)
    assert (tmp_path / "k/datasets" / sources.FULL_SETS[name].keras) in places
    assert places[-1] == tmp_path / "c/parity" / name
    monkeypatch.setenv("KERAS_HOME", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert list(sources.places(name)) == places_of(name, tmp_path)


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("layout", ["files", "keras", "torchvision"])
def test_data_dir_may_have_any_of_the_layouts(name, packed, layout, fake, tmp_path):
    """The folder itself, and Keras's and torchvision's layouts below it, plain or .gz, are read."""
    full = sources.FULL_SETS[name]
    below = {"files": ".", "keras": full.keras, "torchvision": f"{full.torchvision}/raw"}[layout]
    fake.write(tmp_path / "mine" / below, packed)
    loaded = datasets.load(name, data_dir=tmp_path / "mine")
    assert (loaded.size, loaded.source) == ("full", str(tmp_path / "mine" / below))
    assert loaded.input_shape == (4, 3, 1)
    for split in ("train", "test"):
        expected = fake.arrays[f"x_{split}"].astype(np.float32) / np.float32(255)
        assert np.array_equal(getattr(loaded, split).x[..., 0], expected)
        assert np.array_equal(getattr(loaded, split).y, fake.arrays[f"y_{split}"])


def test_data_dir_may_name_the_npz_file_itself(fake, tmp_path):
    """Keras's file is accepted without its folder."""
    fake.write(tmp_path / "mnist.npz")
    assert datasets.load("mnist", data_dir=str(tmp_path / "mnist.npz")).size == "full"


@pytest.mark.parametrize("name", FULL)
def test_data_dir_is_the_only_place_looked_in(name, fake, tmp_path):
    """A folder that the user names is replaced neither by another nor by the embedded file."""
    places = places_of(name, tmp_path)
    fake.write(places[0])
    message = refused(lambda: datasets.load(name, data_dir=tmp_path / "mine"), tmp_path / "mine")
    assert str(places[0]) not in message


@pytest.mark.parametrize("name", FULL)
def test_incomplete_folder_is_passed_over_and_says_what_it_lacks(name, fake, tmp_path):
    """Three of four files are not a set; the message names the fourth."""
    fake.write(tmp_path / "mine")
    (tmp_path / "mine" / "t10k-labels-idx1-ubyte.gz").unlink()
    lacks = f"{tmp_path / 'mine'} (missing: t10k-labels-idx1-ubyte)"
    refused(lambda: datasets.load(name, data_dir=tmp_path / "mine"), lacks, "--download")


# Full sets that are damaged


@pytest.mark.parametrize("name", FULL)
@pytest.mark.parametrize("key", sources.IDX_FILES)
@pytest.mark.parametrize("packed", [True, False])
def test_flipped_bit_in_any_file_is_refused(name, key, packed, fake, tmp_path):
    """Every one of the four files is checked, by the checksum of its decompressed bytes."""
    fake.write(tmp_path, packed)
    flipped = bytearray(fake.idx[key])
    flipped[-1] ^= 1
    path = tmp_path / (sources.IDX_FILES[key] + (".gz" if packed else ""))
    path.write_bytes(gzip.compress(flipped) if packed else flipped)
    expected = sources.FULL_SETS[name].sha256[key]
    found = files.sha256(flipped)
    refused(lambda: datasets.load(name, data_dir=tmp_path), path, expected, found, "delete it")


@pytest.mark.parametrize("keep", [0, 5, 40])
def test_truncated_gz_is_refused(keep, fake, tmp_path):
    """A cut download, wherever it was cut, is one line and no traceback."""
    fake.write(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:keep])
    expected = sources.FULL_SETS["fashion_mnist"].sha256["x_train"]
    refused(lambda: datasets.load("fashion_mnist", data_dir=tmp_path), path, expected, "delete it")


def test_truncated_npz_is_refused(fake, tmp_path):
    """Keras's file is checked whole."""
    path = tmp_path / "mnist.npz"
    path.write_bytes(fake.npz[:-9])
    found = files.sha256(fake.npz[:-9])
    refused(lambda: datasets.load("mnist", data_dir=tmp_path), path, found, "delete it")


def test_damaged_copy_is_not_passed_over_for_the_next_place(fake, tmp_path):
    """The automatic size reports a damaged copy rather than use another set in silence."""
    path = tmp_path / "debian" / "t10k-labels-idx1-ubyte"
    fake.write(tmp_path / "debian", packed=False)
    path.write_bytes(b"")
    refused(lambda: datasets.load("fashion_mnist"), path)


@pytest.mark.parametrize(
    ("raw", "part"),
    [
        (b"", "0 bytes"),
        (b"\x00\x00\x08\x03" + b"\x00\x00\x00\x01" * 3 + b"\x07", "magic number 2051"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x02\x07", "expected 10"),
        (b"\x00\x00\x08\x01\x00\x00\x00\x00\x07", "expected 8"),
    ],
)
def test_bytes_that_are_no_label_file_are_refused(raw, part):
    """Header, magic number and size of an IDX file are checked, whatever its checksum."""
    refused(lambda: files.decode_idx(raw, 1, "labels"), "labels", part)


def test_idx_header_with_a_size_above_any_memory_is_refused():
    """Huge sizes neither overflow nor allocate."""
    raw = b"\x00\x00\x08\x03" + b"\xff\xff\xff\xff" * 3
    refused(lambda: files.decode_idx(raw, 3, "images"), "images", "expected")


def test_files_of_unequal_counts_are_refused(fake, tmp_path, monkeypatch):
    """Labels that are fewer than the images are named with their source."""
    full = sources.FULL_SETS["mnist"]
    fake.idx["y_train"] = files.encode_idx(fake.arrays["y_train"][:-1])
    sums = {key: files.sha256(raw) for key, raw in fake.idx.items()}
    monkeypatch.setitem(sources.FULL_SETS, "mnist", dataclasses.replace(full, sha256=sums))
    fake.write(tmp_path)
    refused(
        lambda: datasets.load("mnist", data_dir=tmp_path), "mnist train", tmp_path, "(29,)", "30"
    )


# Downloads


@pytest.mark.parametrize("name", FULL)
def test_download_is_kept_and_found_again(name, fake, mirror, tmp_path):
    """A set that is fetched once is read from the cache afterwards, with an equal digest."""
    folder, url = mirror
    fake.write(folder)
    fetched = datasets.load(name, download=True, mirror=f"{url}/")
    cache = tmp_path / "home/.cache/parity" / name
    assert str(cache) in fetched.source
    assert url in fetched.source
    assert sorted(path.name for path in cache.iterdir()) == sorted(
        f"{file_name}.gz" for file_name in sources.IDX_FILES.values()
    )
    again = datasets.load(name)
    assert (again.source, again.sha256) == (str(cache), fetched.sha256)
    assert np.array_equal(again.train.x, fetched.train.x)


def test_download_goes_to_the_named_folder(fake, mirror, tmp_path):
    """With a folder given, that is where the files are kept, and nowhere else."""
    folder, url = mirror
    fake.write(folder)
    datasets.load("mnist", data_dir=tmp_path / "mine", download=True, mirror=url)
    assert datasets.load("mnist", data_dir=tmp_path / "mine").size == "full"
    assert not (tmp_path / "home").exists()


def test_nothing_is_fetched_where_a_copy_is_found(fake, tmp_path):
    """Allowing a download does not force one."""
    fake.write(tmp_path / "debian")
    loaded = datasets.load("fashion_mnist", download=True, mirror="nowhere:")
    assert loaded.source == str(tmp_path / "debian")


@pytest.mark.parametrize("key", sources.IDX_FILES)
@pytest.mark.parametrize("damage", ["other content", "truncated", "absent"])
def test_download_that_fails_leaves_nothing_behind(key, damage, fake, mirror, tmp_path):
    """Whichever file is bad, and however, the error names its URL and the disk stays untouched."""
    folder, url = mirror
    fake.write(folder)
    path = folder / f"{sources.IDX_FILES[key]}.gz"
    if damage == "other content":
        path.write_bytes(gzip.compress(b"other"))
    elif damage == "truncated":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        path.unlink()
    refused(lambda: datasets.load("fashion_mnist", download=True, mirror=url), f"{url}/{path.name}")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("url", ["nonsense", "nowhere://a", "http://127.0.0.1:1"])
def test_mirror_that_cannot_be_reached_is_one_line(url, fake, tmp_path):
    """A bad or silent address is answered by the URL and the way without a download."""
    refused(lambda: datasets.load("mnist", download=True, mirror=url), url, "--data-dir")
    assert not (tmp_path / "home").exists()


def test_folder_that_cannot_be_written_is_one_line(fake, mirror, tmp_path):
    """A file where the folder should be is named."""
    folder, url = mirror
    fake.write(folder)
    (tmp_path / "mine").write_text("")
    refused(
        lambda: datasets.load("mnist", data_dir=tmp_path / "mine", download=True, mirror=url),
        tmp_path / "mine",
        "cannot write",
    )
