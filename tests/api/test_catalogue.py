"""The catalogue says what can be asked for, plug-ins included."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.lives import SPEC


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package, as far as its metadata say, that offers a network and a data set."""
    metadata = tmp_path / "shop-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[ewc.networks]\ntiny = shop.networks:tiny\n[ewc.task_sources]\nreceipts = shop.data:receipts\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_the_catalogue_describes_every_kind(client):
    catalogue = client.get("/v1/catalogue").json()
    kinds = {name: [one["kind"] for one in catalogue[name]] for name in ("job_kinds", "analyses", "tasks", "dataset_kinds")}
    assert kinds == {
        "job_kinds": ["supervised", "reinforcement", "association", "analysis", "check"],
        "analyses": ["overlap", "perturbation", "capacity"],
        "tasks": ["permuted", "plain", "rotated", "split", "atari", "gymnasium"],
        "dataset_kinds": ["arrays", "openml", "plugin"],
    }
    assert all(one["description"] and one["json_schema"]["properties"] for one in catalogue["job_kinds"])


def test_installed_plugins_are_listed_and_can_be_asked_for(client, plugins):
    offered = client.get("/v1/catalogue").json()["plugins"]
    assert "tiny" in offered["networks"]
    assert "receipts" in offered["task_sources"]
    task = {"kind": "plain", "dataset": {"kind": "plugin", "name": "receipts"}}
    response = client.post("/v1/jobs", json={**SPEC, "network": {"kind": "plugin", "name": "tiny"}, "tasks": [task]})
    assert response.status_code == 201


def test_an_unknown_plugin_is_refused_with_those_that_are_installed(client, plugins):
    response = client.post("/v1/jobs", json={**SPEC, "network": {"kind": "plugin", "name": "tinny"}})
    [item] = response.json()["errors"]
    assert (response.status_code, item["pointer"]) == (422, "/network/name")
    assert "tiny" in item["detail"].partition("installed:")[2]
    open_job = client.post("/v1/jobs", json={**SPEC, "stream": "open"}).json()["id"]
    task = {"kind": "plain", "dataset": {"kind": "plugin", "name": "receits"}}
    response = client.post(f"/v1/jobs/{open_job}/task-switches", json={"action": "append", "task": task})
    [item] = response.json()["errors"]
    assert (response.status_code, item["pointer"]) == (422, "/task/dataset/name")
    assert "receipts" in item["detail"].partition("installed:")[2]
