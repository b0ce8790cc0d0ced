"""The same training through the service and through `ewc_core` alone, in turns: what does the service cost?

Both sides are timed from the start of the first visit to the end of the last one. What comes before (process start,
import of torch, loading data, claiming the lease) is reported apart; the service has run a short job before, so that it is the
start of a job that is timed and not that of Celery.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ewc_core.specs import DatasetName, SupervisedSpec, dataset_files_missing
from store.job_states import FINISHED, JobStatus
from store.queue import WakeUps
from store.records import EventRecord
from store.settings import StoreSettings
from store.unit_of_work import Database

REPOSITORY = Path(__file__).resolve().parents[1]
_CORE_ALONE = """
import sys, time
started = time.perf_counter()
import torch
from pathlib import Path
from ewc_core.events import VisitStarted
from ewc_core.specs import SupervisedSpec
from ewc_core.supervised import run
torch.use_deterministic_algorithms(True)
spec = SupervisedSpec.model_validate_json(sys.stdin.read())
torch.set_num_threads(spec.num_threads)
first = None
for event in run(spec, data_dir=Path(sys.argv[1]) if sys.argv[1] else None):
    if first is None and isinstance(event, VisitStarted):
        first = time.perf_counter()
print(first - started, time.perf_counter() - first)
"""

_WARM_UP = SupervisedSpec.model_validate(
    {"method": {"kind": "naive"}, "training": {"num_epochs": 1}, "tasks": [{"dataset": "digits"}]}
)


def measure(*, repeats: int, data_dir: Path | None) -> dict[str, Any]:
    """Seconds of both sides, one after the other, `repeats` times, and the ratio of their medians."""
    spec = _spec(data_dir)
    core: list[tuple[float, float]] = []
    service: list[tuple[float, float]] = []
    for _ in range(repeats):
        core.append(_through_the_core(spec, data_dir))
        service.append(_through_the_service(spec, data_dir))
    core_seconds = statistics.median(seconds for _, seconds in core)
    service_seconds = statistics.median(seconds for _, seconds in service)
    return {
        "data": spec.tasks[0].dataset.value,
        "num_tasks": len(spec.tasks),
        "repeats": repeats,
        "core_seconds": core_seconds,
        "service_seconds": service_seconds,
        "ratio": service_seconds / core_seconds,
        "core_start_up_seconds": statistics.median(start for start, _ in core),
        "service_start_up_seconds": statistics.median(start for start, _ in service),
        "all": {"core": core, "service": service},
    }


def _spec(data_dir: Path | None) -> SupervisedSpec:
    mnist = not dataset_files_missing(DatasetName.MNIST, data_dir)
    tasks = [{"dataset": "mnist" if mnist else "digits", "permutation": k} for k in range(3)]
    return SupervisedSpec.model_validate(
        {
            "network": {"hidden_sizes": [400, 400]},
            "training": {"num_epochs": 1 if mnist else 60},
            "method": {"kind": "ewc", "ewc_lambda": 100.0},
            "tasks": tasks,
        }
    )


def _through_the_core(spec: SupervisedSpec, data_dir: Path | None) -> tuple[float, float]:
    command = [sys.executable, "-c", _CORE_ALONE, str(data_dir or "")]
    done = subprocess.run(command, input=spec.model_dump_json(), cwd=REPOSITORY, capture_output=True, text=True, check=True)  # noqa: S603 (our own code)
    start, seconds = done.stdout.split()
    return float(start), float(seconds)


def _through_the_service(spec: SupervisedSpec, data_dir: Path | None) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as directory, _worker(Path(directory), data_dir) as (database, wake_ups):
        _events_of_job(database, wake_ups, _WARM_UP)
        events = _events_of_job(database, wake_ups, spec)
        return _seconds_between(events[0], _first(events, "visit.started")), _seconds_between(
            _first(events, "visit.started"), events[-1]
        )


def _events_of_job(database: Database, wake_ups: WakeUps, spec: SupervisedSpec) -> list[EventRecord]:
    """What a job says from its creation to its end."""
    with database.write() as work:
        job = work.jobs.create(spec, owner="benchmark")
    wake_ups.publish()
    while True:
        with database.read() as work:
            now = work.jobs.get(job.id)
        if now.status in FINISHED:
            break
        time.sleep(0.2)
    if now.status is not JobStatus.SUCCEEDED:
        raise RuntimeError(f"the benchmark's job is {now.status}: {now.error}")
    with database.read() as work:
        return work.events.page(job.id, limit=100_000)


@contextmanager
def _worker(directory: Path, data_dir: Path | None) -> Iterator[tuple[Database, WakeUps]]:
    environment = {**os.environ, "EWC_STATE_DIR": str(directory)}
    for name in ("EWC_DATABASE_URL", "EWC_BROKER_URL"):
        environment.pop(name, None)
    if data_dir is not None:
        environment["EWC_DATA_DIR"] = str(data_dir)
    subprocess.run(
        [sys.executable, "-m", "migrations", "upgrade"], cwd=REPOSITORY, env=environment, check=True, capture_output=True
    )
    settings = StoreSettings(state_dir=directory, database_url="", broker_url="filesystem://")
    database = Database(settings.database_url)
    with (directory / "worker.log").open("wb") as log:
        worker = subprocess.Popen([sys.executable, "-m", "worker"], cwd=REPOSITORY, env=environment, stdout=log, stderr=log)
        try:
            _wait_for_a_worker(database)
            yield database, WakeUps(settings.broker_url, settings.broker_dir)
        finally:
            worker.terminate()
            worker.wait()
            database.close()


def _wait_for_a_worker(database: Database) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with database.read() as work:
            if work.workers.alive():
                return
        time.sleep(0.1)
    raise RuntimeError("no worker came up within 60 s")


def _first(events: list[EventRecord], kind: str) -> EventRecord:
    return next(event for event in events if event.type == kind)


def _seconds_between(one: EventRecord, two: EventRecord) -> float:
    return (two.at - one.at).total_seconds()


def run() -> dict[str, Any]:
    """Print the ratio and what it is made of."""
    data_dir = os.environ.get("EWC_DATA_DIR")
    result = measure(repeats=3, data_dir=Path(data_dir).resolve() if data_dir else None)
    tasks = f"{result['num_tasks']} permuted {result['data']} tasks"
    print(f"{tasks}, MLP 400-400, one thread; medians of {result['repeats']} alternating runs")
    print(f"{'':24}{'core alone':>12}{'service':>12}{'ratio':>8}")
    print(f"{'training, seconds':24}{result['core_seconds']:12.2f}{result['service_seconds']:12.2f}{result['ratio']:8.3f}")
    print(f"{'start-up, seconds':24}{result['core_start_up_seconds']:12.2f}{result['service_start_up_seconds']:12.2f}")
    print("each run, seconds: " + json.dumps({side: [round(run[1], 2) for run in runs] for side, runs in result["all"].items()}))
    return result
