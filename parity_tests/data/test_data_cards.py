"""The cards of the data sets: they agree with the code and with the embedded files."""

from __future__ import annotations

import re

import numpy as np
import pytest

from parity.data import datasets, files, sources
from parity_tests.support.data_sets import CARDS, EMBEDDED, FULL, embedded_arrays


def card(name):
    return (CARDS / name / "README.md").read_text(encoding="utf-8")


def class_rows(name):
    """Return (label, class, train count, test count) of each row of the card's table."""
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (\d+) \| (\d+) \|$", card(name), re.MULTILINE)
    return [(int(label), title, int(train), int(test)) for label, title, train, test in rows]


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_file_has_the_checksum_of_the_table_and_of_the_card(name):
    """The file, the table in the code and the card agree on one checksum."""
    found = files.sha256((CARDS / name / f"{name}.npz").read_bytes())
    assert found == datasets._ENTRIES[name].embedded_sha256
    assert f"| SHA-256 | `{found}` |" in card(name)
    assert datasets.load(name, size="embedded").sha256 == found


@pytest.mark.parametrize("name", EMBEDDED)
def test_card_counts_each_class_as_the_file_does(name):
    """The card's table of classes is what the loader gives."""
    loaded = datasets.load(name, size="embedded")
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
    full = sources.FULL_SETS[name]
    for key, file_name in sources.IDX_FILES.items():
        assert re.search(f"`{file_name}` .*`{full.sha256[key]}`", card(name))
    if full.npz_sha256:
        assert f"`{full.npz_sha256}`" in card(name)


def test_mnist_card_counts_add_up():
    """MNIST's card names the ten classes of the code and 60,000 + 10,000 examples."""
    labels, classes, train, test = zip(*class_rows("mnist"), strict=True)
    assert (labels, classes) == (tuple(range(10)), datasets._ENTRIES["mnist"].classes)
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
