"""Loading: what the embedded sets hold, and which requests, files and splits are refused."""

from __future__ import annotations

import io
import shutil

import numpy as np
import pytest

from parity.data import datasets, files
from parity.system import atomic
from parity_tests.support.data_sets import CARDS, EMBEDDED, FULL, embedded_arrays, refused

ONLY_EMBEDDED = tuple(name for name in EMBEDDED if name not in FULL)
SHAPES = {
    "fashion_mnist": ((2000, 28, 28, 1), (500, 28, 28, 1)),
    "japanese_vowels": ((270, 29, 12), (370, 29, 12)),
    "digits": ((1433, 8, 8, 1), (364, 8, 8, 1)),
}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Move the package, as far as the embedded files are concerned, into `tmp_path`."""
    monkeypatch.setattr(datasets, "__file__", str(tmp_path / "parity" / "data" / "datasets.py"))
    return tmp_path


# What is embedded


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_set_has_the_promised_form(name):
    """Shapes, dtypes and ranges are those that the docstrings promise."""
    loaded = datasets.load(name, size="embedded")
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
    loaded, stored = datasets.load(name, size="embedded"), embedded_arrays(name)
    for split in ("train", "test"):
        expected = stored[f"x_{split}"].astype(np.float32) / np.float32(brightest)
        assert np.array_equal(getattr(loaded, split).x[..., 0], expected)
        assert np.array_equal(getattr(loaded, split).y, stored[f"y_{split}"])


def test_sequences_are_zero_after_their_last_step_and_only_there():
    """Padding is zero, and no length ends before or after the sequence does."""
    loaded = datasets.load("japanese_vowels")
    for split, longest in ((loaded.train, 26), (loaded.test, 29)):
        assert (split.lengths.min(), split.lengths.max()) == (7, longest)
        valid = np.arange(split.x.shape[1]) < split.lengths[:, np.newaxis]
        assert not split.x[~valid].any()
        assert split.x[valid].any(axis=1).all()


def test_splits_are_stratified():
    """Fashion-MNIST is balanced, digits is cut per class, the vowels train on 30 per speaker."""
    fashion = datasets.load("fashion_mnist", size="embedded")
    assert np.bincount(fashion.train.y).tolist() == [200] * 10
    assert np.bincount(fashion.test.y).tolist() == [50] * 10
    digits = datasets.load("digits")
    train, test = np.bincount(digits.train.y), np.bincount(digits.test.y)
    assert train.tolist() == ((train + test) * 4 // 5).tolist()
    assert len(digits.train.y) + len(digits.test.y) == 1797
    assert np.bincount(datasets.load("japanese_vowels").train.y).tolist() == [30] * 9


@pytest.mark.parametrize("name", EMBEDDED)
def test_no_training_example_is_a_test_example(name):
    """The two splits share no example."""
    loaded = datasets.load(name, size="embedded")
    train = {example.tobytes() for example in loaded.train.x}
    assert not [row for row, example in enumerate(loaded.test.x) if example.tobytes() in train]


# What is asked for


def test_unknown_name_is_refused_with_the_known_ones():
    """An unknown name is answered by the list of names."""
    refused(lambda: datasets.load("cifar10"), "'cifar10'", ", ".join(datasets.DATASETS))


@pytest.mark.parametrize("name", datasets.DATASETS)
def test_unknown_size_is_refused_with_the_known_ones(name):
    """An unknown size is answered by the list of sizes."""
    refused(lambda: datasets.load(name, size="huge"), "--data", "'huge'", "auto, embedded, full")


@pytest.mark.parametrize("name", ONLY_EMBEDDED)
@pytest.mark.parametrize("asked", [{"size": "full"}, {"data_dir": "."}, {"download": True}])
def test_sets_without_a_full_size_refuse_to_be_asked_for_it(name, asked):
    """Digits and the vowels are whole as embedded; asking for more is an error, not ignored."""
    refused(lambda: datasets.load(name, **asked), name, "embedded only")


def test_mnist_refuses_the_embedded_size():
    """The error for embedded MNIST lists the accepted options."""
    refused(lambda: datasets.load("mnist", size="embedded"), "not embedded", "--data-dir")


@pytest.mark.parametrize("asked", [{"data_dir": "."}, {"download": True}])
def test_embedded_size_contradicts_a_place_for_the_full_set(asked):
    """The embedded size with a folder or a download is an error: one of them would be ignored."""
    refused(lambda: datasets.load("fashion_mnist", size="embedded", **asked), "contradicts")


# Embedded files that are missing or damaged


@pytest.mark.parametrize("name", EMBEDDED)
@pytest.mark.parametrize("folder", ["parity/_datasets", "datasets"])
def test_embedded_file_is_found_in_a_wheel_and_in_a_checkout(name, folder, checkout):
    """Both places work, each alone."""
    target = checkout / folder / name / f"{name}.npz"
    target.parent.mkdir(parents=True)
    shutil.copy(CARDS / name / target.name, target)
    assert datasets.load(name, size="embedded").source == str(target)


@pytest.mark.parametrize("name", EMBEDDED)
def test_missing_embedded_file_names_the_places(name, checkout):
    """A missing file is answered by both places and a remedy."""
    places = [checkout / folder / name for folder in ("parity/_datasets", "datasets")]
    refused(lambda: datasets.load(name, size="embedded"), *places, "restore")


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
    atomic.write_atomically(path, raw)
    expected = datasets._ENTRIES[name].embedded_sha256
    refused(lambda: datasets.load(name, size="embedded"), path, expected, files.sha256(raw))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"\x93NUMPY cut", b"text"])
def test_bytes_that_are_no_npz_are_refused(content):
    """What NumPy answers in many ways becomes one line."""
    refused(lambda: files.decode_npz(content, ("x",), "a.npz"), "a.npz")


def test_npz_that_needs_unpickling_is_refused():
    """A pickled array is never loaded: unpickling runs code."""
    out = io.BytesIO()
    np.savez(out, x=np.array([{}], object))
    refused(lambda: files.decode_npz(out.getvalue(), ("x",), "a.npz"), "a.npz")


def test_npz_that_lacks_an_array_is_refused():
    """The message lists what the file must hold."""
    raw = files.encode_npz({"x": np.zeros(1)})
    refused(lambda: files.decode_npz(raw, ("x", "y"), "a.npz"), "a.npz contains x", "x and y")


# check()


def images(**changed):
    fields = {"x": np.zeros((3, 2, 2, 1), np.float32), "y": np.array([0, 1, 2]), "lengths": None}
    return datasets.Split(**(fields | changed))


def sequences(**changed):
    fields = {
        "x": np.zeros((3, 4, 2), np.float32),
        "y": np.array([0, 1, 2]),
        "lengths": np.array([1, 4, 2]),
    }
    return datasets.Split(**(fields | changed))


@pytest.mark.parametrize("split", [images(), sequences()])
def test_sound_splits_pass(split):
    """What is right is not refused; labels and lengths may take either end of their range."""
    datasets.check(split, 3, "sound")


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
    refused(lambda: datasets.check(split, 3, "my split"), "my split: ", part)
