"""Every operation of the service can be reached from the client, under the method and path that the service has for it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ewc_client import ApiError, Checkpoint, EWCClient, Job, Sweep
from ewc_client.transport import Transport
from tests.ewc_client.conftest import QUICK
from tests.ewc_client.scripted_server import ScriptedServer, json_answer

OF_NO_CLIENT = {"get_health", "get_readiness", "get_problem_type"}  # for probes and people
NOW = "2026-01-01T00:00:00Z"
JOB = {"id": "job_1", "status": "queued", "stream": "open", "created_at": NOW}
SWEEP = {"id": "sweep_1", "status": "running", "created_at": NOW, "num_trials": {}}
CHECKPOINT = {"id": "ckpt_1", "job_id": "job_1", "visit_index": 0, "task_index": 0, "method": "ewc", "size": 9}
CHECKPOINT |= {"sha256": "0", "weights_sha256": "0", "created_at": NOW, "tensors": []}
OF_CLIENT: dict[str, Callable[[EWCClient], object]] = {
    "create_job": lambda client: client.jobs.create({}),
    "create_job_check": lambda client: client.jobs.check({}),
    "list_jobs": lambda client: list(client.jobs.list()),
    "get_job": lambda client: client.jobs.get("job_1"),
    "change_job": lambda client: client.jobs.set_priority("job_1", 5),
    "cancel_job": lambda client: client.jobs.cancel("job_1"),
    "pause_job": lambda client: client.jobs.pause("job_1"),
    "resume_job": lambda client: client.jobs.resume("job_1"),
    "retry_job": lambda client: client.jobs.retry("job_1"),
    "create_sweep": lambda client: client.sweeps.create({}),
    "list_sweeps": lambda client: list(client.sweeps.list()),
    "get_sweep": lambda client: client.sweeps.get("sweep_1"),
    "cancel_sweep": lambda client: client.sweeps.cancel("sweep_1"),
    "get_checkpoint": lambda client: client.checkpoint("ckpt_1"),
    "get_catalogue": lambda client: client.catalogue(),
    "list_workers": lambda client: client.workers(),
    "create_api_key": lambda client: client.create_api_key("ci"),
    "list_api_keys": lambda client: client.api_keys(),
    "revoke_api_key": lambda client: client.revoke_api_key("key_1"),
    "get_version": lambda client: client.version(),
}
OF_JOB: dict[str, Callable[[Job], object]] = {
    "get_job": Job.refresh,
    "change_job": lambda job: job.set_priority(5),
    "cancel_job": Job.cancel,
    "pause_job": Job.pause,
    "resume_job": Job.resume,
    "retry_job": Job.retry,
    "list_attempts": Job.attempts,
    "create_task_switch": Job.close,
    "list_task_switches": Job.task_switches,
    "list_tasks": Job.tasks,
    "reweight_task": lambda job: job.reweight(0, 0.5),
    "forget_task": lambda job: job.forget(0),
    "list_events": lambda job: list(job.past_events()),
    "get_metrics": Job.metrics,
    "get_matrix": Job.matrix,
    "list_checkpoints": lambda job: list(job.checkpoints()),
    "list_snapshots": lambda job: list(job.snapshots()),
    "get_result": Job.result,
    "create_analysis": lambda job: job.analyse({"kind": "capacity"}),
    "list_analyses": lambda job: list(job.analyses()),
}


@pytest.fixture(scope="module")
def operations() -> dict[str, tuple[str, str]]:
    """Method and path of every operation by its name."""
    paths = json.loads((Path(__file__).parents[2] / "openapi.json").read_text())["paths"]
    return {it["operationId"]: (method.upper(), path) for path, here in paths.items() for method, it in here.items()}


def test_every_operation_is_reached_from_the_client(operations: dict[str, tuple[str, str]], tmp_path: Path) -> None:
    with ScriptedServer(lambda asked, number: json_answer({"code": "not_found", "detail": "no"}, 404)) as server:
        client = EWCClient(server.url, "key", retries=QUICK)
        transport = Transport(server.url, "key", retries=QUICK)
        job, checkpoint = Job.from_body(JOB, transport), Checkpoint.from_body(CHECKPOINT, transport)
        calls: list[tuple[str, Callable[[], object]]] = [
            *((name, lambda call=call: call(client)) for name, call in OF_CLIENT.items()),
            *((name, lambda call=call: call(job)) for name, call in OF_JOB.items()),
            ("get_sweep", Sweep.from_body(SWEEP, transport).refresh),
            ("download_checkpoint", lambda: checkpoint.download(tmp_path / "c")),
        ]
        for name, call in calls:
            with pytest.raises(ApiError):
                call()
            method, path = operations[name]
            asked = server.asked[-1]
            assert asked.method == method, name
            assert re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), asked.path.partition("?")[0]), name
        client.close()
        transport.close()
    assert {name for name, _ in calls} == set(operations) - OF_NO_CLIENT
