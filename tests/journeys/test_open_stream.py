"""A platform's day: submit with an open stream, switch tasks while it trains, revisit, close, read what is retained."""

from __future__ import annotations

import time

import pytest
import torch
from safetensors.torch import load

from ewc_core.data import Sources
from ewc_core.fisher import exact_fisher
from ewc_core.networks import build_network
from ewc_core.seeding import generator
from ewc_core.specs import SupervisedSpec
from tests.journeys.service import Service

SPEC = {
    "network": {"hidden_sizes": [64, 64]},
    "training": {"num_epochs": 12, "batch_size": 32},
    "method": {"kind": "ewc", "ewc_lambda": 30.0},
    "controls": ["naive"],
    "tasks": [{"dataset": "digits"}],
    "stream": "open",
}


@pytest.fixture
def service(stack, tmp_path):
    with Service(stack.environment, tmp_path) as service:
        yield service


def _submit(service: Service, **changes) -> str:
    return service.http.post("/jobs", json={**SPEC, **changes}).raise_for_status().json()["id"]


def _switch(service: Service, job_id: str, body: dict, **headers):
    return service.http.post(f"/jobs/{job_id}/task-switches", json=body, headers=headers)


def test_task_switches_while_a_job_runs(service):
    job_id = _submit(service)
    service.wait_for_status(job_id, "running", "waiting")
    for permutation in (1, 2, 3):
        body = {"action": "append", "task": {"dataset": "digits", "permutation": permutation}}
        first = _switch(service, job_id, body, **{"Idempotency-Key": f"switch-{permutation}"})
        again = _switch(service, job_id, body, **{"Idempotency-Key": f"switch-{permutation}"})
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert again.headers["Idempotency-Replayed"] == "true"
    assert _switch(service, job_id, {"action": "revisit", "task_index": 0}).status_code == 201
    service.wait_for_status(job_id, "waiting")
    assert _switch(service, job_id, {"action": "close"}).status_code == 201
    job = service.wait_for_status(job_id, "succeeded")
    refused = _switch(service, job_id, {"action": "append", "task": {"dataset": "digits", "permutation": 9}})
    assert refused.status_code == 409
    assert refused.json()["code"] == "stream_closed"
    assert "allowed" in refused.json()

    matrix = service.http.get(f"/jobs/{job_id}/evaluations/matrix").json()
    assert [visit["task_index"] for visit in matrix["visits"]] == [0, 1, 2, 3, 0]
    ewc, naive = matrix["methods"]["ewc"], matrix["methods"]["naive"]
    assert ewc["role"] == "method"
    assert naive["role"] == "control"
    assert ewc["rows"][-1]["after_visit"] == 4
    assert all(0.0 < score <= 1.0 for score in ewc["rows"][-1]["scores"])
    assert ewc["summary"]["average"] > naive["summary"]["average"]
    assert job["weights_sha256"]


@pytest.mark.by_day("servers")
def test_switch_now_ends_the_running_visit_early(service):
    job_id = _submit(service, training={"num_epochs": 2000, "batch_size": 32})
    _wait_for_step(service, job_id)
    assert (
        _switch(service, job_id, {"action": "append", "task": {"dataset": "digits", "permutation": 1}, "now": True}).status_code
        == 201
    )
    _wait_for_visit(service, job_id, 1)
    first = service.http.get(f"/jobs/{job_id}/task-switches").json()["data"][0]
    assert first["status"] == "done"
    assert 0 < first["num_steps"] < 2000 * 45
    assert first["cut_at_step"] == first["num_steps"]
    assert service.http.post(f"/jobs/{job_id}/cancel").status_code == 202
    service.wait_for_status(job_id, "cancelled", seconds=15)


@pytest.mark.by_day("embedded")
def test_pause_keeps_the_place_and_resume_goes_on(service):
    job_id = _submit(service, stream="closed", training={"num_epochs": 60, "batch_size": 32})
    _wait_for_step(service, job_id)
    assert service.http.post(f"/jobs/{job_id}/pause").status_code == 202
    paused = service.wait_for_status(job_id, "paused", seconds=15)
    assert paused["progress"]["step"] > 0
    assert service.http.post(f"/jobs/{job_id}/resume").status_code == 202
    service.wait_for_status(job_id, "succeeded")
    types = [event["type"] for event in _events(service, job_id)]
    assert types.count("visit.started") == 1
    assert "visit.resumed" in types


@pytest.mark.by_day("servers")
def test_a_stored_fisher_read_by_range_equals_a_recomputation_from_its_anchor(service):
    tasks = [{"dataset": "digits", "permutation": k} for k in range(2)]
    job_id = _submit(service, stream="closed", tasks=tasks)
    service.wait_for_status(job_id, "succeeded")
    spec = SupervisedSpec.model_validate(service.job(job_id)["spec"])
    summaries = service.http.get(f"/jobs/{job_id}/checkpoints").json()["data"]
    assert len(summaries) == len(tasks)
    for summary in summaries:
        checkpoint = service.http.get(f"/checkpoints/{summary['id']}").json()
        stored = {tensor["name"]: _read_tensor(service, checkpoint, tensor) for tensor in checkpoint["tensors"]}
        whole = load(service.http.get(f"/checkpoints/{checkpoint['id']}/content").content)
        assert all(torch.equal(stored[name], whole[name]) for name in whole)
        network = build_network(spec.network, input_shape=(1, 8, 8), num_outputs=10, generator=generator(0, "any"))
        network.load_state_dict({name.removeprefix("anchor."): t for name, t in stored.items() if name.startswith("anchor.")})
        data = Sources(None).task(spec.tasks[checkpoint["task_index"]])
        inputs, _ = data.read_range("train", 0, data.num_examples("train"))
        recomputed = exact_fisher(network.double(), inputs.double())
        assert set(stored) == {f"{part}.{name}" for part in ("anchor", "fisher") for name in recomputed}
        for name, fisher in recomputed.items():
            error = (stored[f"fisher.{name}"].double() - fisher.double()).norm() / fisher.double().norm()
            assert error <= 1e-5, f"{name}: {error}"


def _read_tensor(service: Service, checkpoint: dict, tensor: dict) -> torch.Tensor:
    span = {"Range": f"bytes={tensor['begin']}-{tensor['end'] - 1}"}
    part = service.http.get(f"/checkpoints/{checkpoint['id']}/content", headers=span)
    assert part.status_code == 206
    return torch.frombuffer(bytearray(part.content), dtype=torch.float32).reshape(tensor["shape"])


def _events(service: Service, job_id: str) -> list[dict]:
    events: list[dict] = []
    while page := service.http.get(
        f"/jobs/{job_id}/events", params={"after": events[-1]["seq"] if events else 0, "limit": 100}
    ).json()["data"]:
        events.extend(page)
    return events


def _wait_for_step(service: Service, job_id: str) -> None:
    _poll(lambda: (service.job(job_id)["progress"]["step"] or 0) > 0, "the first steps")


def _wait_for_visit(service: Service, job_id: str, index: int) -> None:
    _poll(lambda: service.job(job_id)["progress"]["visit_index"] == index, f"visit {index}")


def _poll(condition, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)
