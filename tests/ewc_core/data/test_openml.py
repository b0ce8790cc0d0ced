"""OpenML's data sets, from a cache and from a server on localhost."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
import torch

from ewc_core.data import DataSource
from ewc_core.data.openml import load_openml
from ewc_core.errors import DatasetUnavailable, EwcError, SpecError, StateFormatError
from ewc_core.specs import OpenMLDataset
from tests.ewc_core.data.openml_site import COLUMNS, ROWS, answers, serve, write_cache

Site = Callable[[str], None]


@pytest.fixture(autouse=True)
def site(monkeypatch: pytest.MonkeyPatch) -> Site:
    """Sends every request for openml.org to another address: at first to a port where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        target = [f"http://127.0.0.1:{unused.getsockname()[1]}"]

    def _open(request: Request) -> Any:
        assert urlsplit(request.full_url).hostname == "www.openml.org"
        return urlopen(target[0] + urlsplit(request.full_url).path)  # noqa: S310  # localhost

    monkeypatch.setattr("sklearn.datasets._openml.urlopen", _open)

    def _lead_to(address: str) -> None:
        target[0] = address

    return _lead_to


def _load(data_dir: Path | None, name: str = "made-up", version: int = 1) -> DataSource:
    return load_openml(OpenMLDataset(name=name, version=version), data_dir)


def test_cached_files_need_no_network(tmp_path: Path) -> None:
    write_cache(tmp_path, answers("made-up"))
    source = _load(tmp_path)
    assert (len(source.train_targets), len(source.test_targets)) == (7, 3)  # one of each class is held out
    assert (source.num_outputs, source.input_shape, source.largest) == (3, (2,), None)
    assert torch.equal(_load(tmp_path).train_inputs, source.train_inputs)


def test_what_was_fetched_is_kept_in_the_data_directory(tmp_path: Path, site: Site) -> None:
    with serve(answers("made-up")) as (address, asked):
        site(address)
        first = _load(tmp_path)
        num_requests = len(asked)
        second = _load(tmp_path)
        assert num_requests == len(asked) >= 5
    assert torch.equal(first.train_inputs, second.train_inputs)
    assert {path.name for path in tmp_path.iterdir()} == {"openml"}


def test_features_lie_in_the_unit_interval_of_the_training_examples_and_constant_ones_are_0(tmp_path: Path) -> None:
    columns = (("constant", "NUMERIC", "numeric", False), *COLUMNS)
    write_cache(tmp_path, answers("made-up", columns, [f"3,{row}" for row in ROWS]))
    source = _load(tmp_path)
    rows = source.train_inputs.tolist() + source.test_inputs.tolist()
    assert source.train_inputs.amin(0).tolist() == [0.0, 0.0, 0.0]
    assert source.train_inputs.amax(0).tolist() == [0.0, 1.0, 1.0]
    assert sorted({row[1] for row in rows}) == [0.0, 0.25, 0.5, 1.0]  # widths 5, 7.5, 10 and 15
    assert sorted({row[2] for row in rows}) == [0.0, 0.5, 1.0]  # red, green and blue, as declared
    labels = source.train_targets.tolist() + source.test_targets.tolist()
    assert all(label == 1 for row, label in zip(rows, labels, strict=True) if row[2] == 0.5)  # every green one is a 9


@pytest.mark.parametrize(
    ("classes", "in_order"),
    [("{10, 9, 2}", ["2", "9", "10"]), ("{b, a, 10}", ["10", "a", "b"]), ("{1, -1, 0}", ["-1", "0", "1"])],
)
def test_classes_are_numbered_in_ascending_order(tmp_path: Path, classes: str, in_order: list[str]) -> None:
    columns = (COLUMNS[0], ("class", classes, "nominal", True))
    write_cache(tmp_path, answers("made-up", columns, [f"{index},{in_order[index % 3]}" for index in range(9)]))
    source = _load(tmp_path)
    numbers = torch.cat([source.train_inputs, source.test_inputs]).flatten()
    labels = torch.cat([source.train_targets, source.test_targets])
    assert labels[numbers.argsort()].tolist() == [0, 1, 2] * 3


def test_an_unreachable_site_makes_the_data_set_unavailable(tmp_path: Path) -> None:
    with pytest.raises(DatasetUnavailable, match=r"'made-up' version 1 cannot be fetched from openml\.org: .*refused") as error:
        _load(tmp_path)
    assert error.value.field == "dataset.name"
    assert socket.getdefaulttimeout() is None


def test_a_data_set_without_a_data_directory_is_unavailable() -> None:
    with pytest.raises(DatasetUnavailable, match=r"needs a data directory .* EWC_DATA_DIR"):
        _load(None)


def test_a_data_set_that_does_not_exist_is_named(tmp_path: Path, site: Site) -> None:
    with serve({}) as (address, _):
        site(address)
        with pytest.raises(SpecError, match="'unknown' version 3: Dataset unknown with version 3 not found"):
            _load(tmp_path, "unknown", 3)


_NUMBER, _CLASS = COLUMNS[0], COLUMNS[2]


@pytest.mark.parametrize(
    ("columns", "rows", "error", "message"),
    [
        (
            (_NUMBER, ("size", "NUMERIC", "numeric", True)),
            ["1,2", "3,4"],
            SpecError,
            "its target must be one column of categories",
        ),
        ((_NUMBER, (*_CLASS[:3], False)), ["1,2", "3,9"], SpecError, "its target must be one column"),
        ((_NUMBER, _CLASS, ("other", *_CLASS[1:])), ["1,2,2", "3,9,9"], SpecError, "its target must be one column"),
        ((("text", "STRING", "string", False), _CLASS), ["a,2", "b,9"], SpecError, "STRING attributes are not supported"),
        ((_NUMBER, _CLASS), ["?,2", "1,9", "2,10"], SpecError, "must be finite in float32, found nan"),
        ((_NUMBER, _CLASS), ["1", "2"], StateFormatError, "cannot be parsed"),
        ((_NUMBER, _CLASS), ["1,3", "2,9"], StateFormatError, "cannot be parsed"),
    ],
)
def test_data_that_is_not_for_classification_is_refused(
    tmp_path: Path, site: Site, columns: Any, rows: list[str], error: type[EwcError], message: str
) -> None:
    bodies = answers("made-up", columns, rows)
    write_cache(tmp_path, bodies)
    with serve(bodies) as (address, _):  # what cannot be parsed is fetched once more
        site(address)
        with pytest.raises(error, match=rf"OpenML data set 'made-up' version 1.*{message}"):
            _load(tmp_path)


def test_a_file_with_another_checksum_is_refused(tmp_path: Path, site: Site) -> None:
    with serve(answers("made-up", arff="@RELATION other\n")) as (address, _):
        site(address)
        with pytest.raises(SpecError, match=r"md5 checksum .* does not match"):
            _load(tmp_path)


def test_a_damaged_cache_is_fetched_again(tmp_path: Path, site: Site) -> None:
    bodies = answers("made-up")
    write_cache(tmp_path, bodies)
    expected = _load(tmp_path)
    write_cache(tmp_path, {path: b"nothing" for path in bodies if path.endswith(".arff")})
    with serve(bodies) as (address, asked):
        site(address)
        assert torch.equal(_load(tmp_path).train_inputs, expected.train_inputs)
    assert asked == ["/data/v1/download/70/it.arff"]
