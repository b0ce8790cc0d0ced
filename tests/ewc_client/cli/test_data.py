"""`ewc data fetch` as a user sees it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ewc_client.data_fetch import PUBLISHED, PublishedDataset
from tests.ewc_client.cli.conftest import Ewc
from tests.ewc_client.data_fetch.conftest import FILES, mirror, published
from tests.ewc_client.data_fetch.mirror import Mirror

__all__ = ["mirror", "published"]  # fixtures


@pytest.fixture
def small(published: PublishedDataset, monkeypatch: pytest.MonkeyPatch) -> PublishedDataset:
    """MNIST is two small files for the length of a test."""
    monkeypatch.delenv("EWC_DATA_DIR", raising=False)
    monkeypatch.setitem(PUBLISHED, "mnist", published)
    return published


@pytest.mark.usefixtures("small")
def test_it_says_what_it_did_and_what_to_do_next(ewc: Ewc, tmp_path: Path) -> None:
    data_dir = tmp_path / "my data"
    run = ewc("data", "fetch", "mnist", "--data-dir", str(data_dir))
    assert (run.status, run.out) == (0, "")
    assert run.err.splitlines() == [
        f"{data_dir}/small/images.gz: fetched, checksum verified",
        f"{data_dir}/small/labels.gz: fetched, checksum verified",
        "",
        "Next:",
        f"  EWC_DATA_DIR='{data_dir}' ewc submit examples/permuted_mnist.json --watch",
    ]
    again = ewc("data", "fetch", "mnist", "--data-dir", str(data_dir))
    assert again.status == 0
    assert f"{data_dir}/small/images.gz: already there, checksum verified" in again.err


@pytest.mark.usefixtures("small")
def test_the_data_directory_comes_from_the_environment(ewc: Ewc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EWC_DATA_DIR", str(tmp_path / "data"))
    run = ewc("data", "fetch", "mnist", "--output", "json")
    assert run.status == 0
    assert json.loads(run.out) == {
        "dataset": "mnist",
        "files": [{"path": str(tmp_path / "data" / "small" / name), "status": "fetched"} for name in FILES],
    }


@pytest.mark.usefixtures("small")
def test_without_a_data_directory_it_says_what_to_set(ewc: Ewc) -> None:
    run = ewc("data", "fetch", "mnist")
    assert run.status == 2
    assert "set EWC_DATA_DIR" in " ".join(run.err.replace("│", " ").split())


def test_other_mirrors_can_be_named_and_wrong_bytes_end_it_loudly(ewc: Ewc, mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["train-images-idx3-ubyte.gz"] = FILES["images.gz"]
    for dataset, algorithm in (("mnist", "sha256"), ("fashion-mnist", "md5")):
        run = ewc("data", "fetch", dataset, "--data-dir", str(tmp_path), "--from", mirror.url)
        assert run.status == 4
        assert (
            f"error: no mirror gave train-images-idx3-ubyte.gz:\n  {mirror.url}train-images-idx3-ubyte.gz: {algorithm}" in run.err
        )
        assert list((tmp_path / dataset).iterdir()) == []
