"""How many copies of a large network's parameters a trainer process has in memory at most: Adam, EWC, five tasks.

A copy is 4 bytes a parameter. The job is trained twice: in one go, and killed in its third visit, once to go on from the
snapshot of the second and once from a resume point. It takes minutes, and 20 GiB of disk.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._trainer_process import Record, Trained, imported_bytes
from ewc_core.specs import SupervisedSpec
from ewc_core.specs.network import count_parameters
from store.job_states import JobStatus

HIDDEN_SIZES = ([10_000, 10_000], [5_800] * 4)
"""One layer that is nearly all of the network, and three of a third each."""
NUM_TASKS, KILLED_IN = 5, 2
NEVER = 86_400


def spec_of(hidden_sizes: list[int]) -> dict[str, Any]:
    """The job of a network."""
    return {
        "network": {"hidden_sizes": hidden_sizes},
        "training": {"num_epochs": 1, "batch_size": 128, "optimiser": "adam"},
        "method": {"kind": "ewc", "ewc_lambda": 100.0, "fisher_estimator": "rademacher"},
        "tasks": [{"dataset": "digits", "permutation": index} for index in range(NUM_TASKS)],
    }


def measure(hidden_sizes: list[int]) -> dict[str, Any]:
    """The most copies of each trainer process, and how the two jobs ended."""
    spec = spec_of(hidden_sizes)
    num_parameters = count_parameters(SupervisedSpec.model_validate(spec).network, input_shape=(1, 8, 8), num_outputs=10)
    if num_parameters is None:
        raise AssertionError("a network of kind 'mlp' has a size")
    imported, trained = imported_bytes(), {**_in_one_go(spec), **_killed(spec)}
    rows = {
        name: {
            "copies": one.peak_bytes / (4 * num_parameters),
            "copies_without_imports": (one.peak_bytes - imported) / (4 * num_parameters),
            "seconds": one.seconds,
        }
        for name, one in trained.items()
    }
    return {"hidden_sizes": hidden_sizes, "num_parameters": num_parameters, "imported_bytes": imported, "trainers": rows}


def _in_one_go(spec: dict[str, Any]) -> dict[str, Trained]:
    with tempfile.TemporaryDirectory() as folder:
        record = Record(Path(folder), data_dir=None)
        job_id = record.create(spec)
        whole = record.train(job_id, resume_seconds=60)
        _require_success(record, job_id)
        return {"in one go": whole}


def _killed(spec: dict[str, Any]) -> dict[str, Trained]:
    with tempfile.TemporaryDirectory() as folder:
        record = Record(Path(folder), data_dir=None)
        job_id = record.create(spec)

        def in_visit() -> bool:
            with record.database.read() as work:
                visit = work.switches.find_visit(job_id, KILLED_IN)
                return visit is not None and visit.status == "active"

        def has_point() -> bool:
            with record.database.read() as work:
                return work.resume_points.get(job_id) is not None

        trained = {
            "killed in visit 3": record.train(job_id, resume_seconds=NEVER, kill_when=in_visit),
            "from the snapshot": record.train(job_id, resume_seconds=0, kill_when=has_point),
            "from the resume point": record.train(job_id, resume_seconds=60),
        }
        _require_success(record, job_id)
        return trained


def _require_success(record: Record, job_id: str) -> None:
    with record.database.read() as work:
        job = work.jobs.get(job_id)
    record.database.close()
    if job.status is not JobStatus.SUCCEEDED:
        raise RuntimeError(f"the benchmark's job is {job.status}: {job.error}")


def run() -> dict[str, Any]:
    """Measure and print the table."""
    found = []
    print(f"{'hidden sizes':24}{'trainer':24}{'copies':>8}{'without imports':>18}{'seconds':>10}")
    for hidden_sizes in HIDDEN_SIZES:
        one = measure(hidden_sizes)
        for name, row in one["trainers"].items():
            sizes = "-".join(map(str, hidden_sizes))
            copies = f"{row['copies']:8.2f}{row['copies_without_imports']:18.2f}"
            print(f"{sizes:24}{name:24}{copies}{row['seconds']:10.0f}", flush=True)
        found.append(one)
    return {"jobs": found, "num_cores": os.cpu_count()}
