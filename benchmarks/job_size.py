"""What jobs take beside what `ewc_core.specs.size` estimates before: memory of the trainer's process, bytes of the record.

Each job has a record of its own. Memory is the most that the process ever took (VmHWM); the record is the pages in use in its
file afterwards, and the largest resume point that there was on the way.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._trainer_process import Record
from ewc_core.specs import JOB_SPEC, DatasetName, ReinforcementSpec, SupervisedSpec, dataset_files_missing
from ewc_core.specs.limits import NO_LIMITS, JobSize
from ewc_core.specs.size import reinforcement_size, supervised_size
from store.job_states import JobStatus
from store.settings import StoreSettings

_ARRAYS, _NUM_ROWS, _NUM_COLUMNS = "rows.npz", 100_000, 256
_EWC = {"kind": "ewc", "ewc_lambda": 10.0, "fisher_estimator": "rademacher"}
_CATCH = [{"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": k} for k in (1, 2)]
_MNIST = [{"dataset": "mnist", "permutation": k} for k in range(2)]


def _digits(
    hidden_sizes: list[int], method: Mapping[str, Any], *controls: str, num_tasks: int = 2, **training: Any
) -> dict[str, Any]:
    return {
        "network": {"hidden_sizes": hidden_sizes},
        "training": {"optimiser": "adam", **training},
        "method": dict(method),
        "controls": list(controls),
        "tasks": [{"dataset": "digits", "permutation": k} for k in range(num_tasks)],
    }


JOBS: dict[str, dict[str, Any]] = {
    "small, ewc, 5 tasks": _digits([100, 100], _EWC, num_tasks=5, num_epochs=20),
    "ewc with controls": _digits([2500, 2500], _EWC, "naive", "joint"),
    "naive, momentum": _digits([3000, 3000], {"kind": "naive"}, optimiser="sgd", momentum=0.9),
    "online_ewc, rmsprop": _digits([3000, 3000], {**_EWC, "kind": "online_ewc"}, optimiser="rmsprop", num_tasks=4),
    "si": _digits([3000, 3000], {"kind": "si"}),
    "mas, sgd": _digits([3000, 3000], {"kind": "mas"}, optimiser="sgd"),
    "l2, explicit": _digits([3000, 3000], {"kind": "l2", "ewc_lambda": 0.01, "penalty_step": "explicit"}),
    "dropout": _digits([3000, 3000], {"kind": "dropout", "patience": 1}, num_validation_examples=200, num_epochs=2),
    "conv, mnist": {
        **_digits([], {**_EWC, "fisher_num_examples": 2000}, num_validation_examples=54_000),
        "network": {"kind": "conv", "channels": [32, 64], "hidden_sizes": [1024]},
        "tasks": _MNIST,
    },
    "a file of 100 MB": {
        **_digits([100], {"kind": "naive"}),
        "tasks": [{"kind": "plain", "dataset": {"kind": "arrays", "path": _ARRAYS}}],
    },
    "games, ewc": {
        "kind": "reinforcement",
        "network": {"kind": "mlp", "hidden_sizes": [1500, 1500]},
        "agent": {"preset": "small", "replay_period": 64},
        "method": {"kind": "ewc", "ewc_lambda": 10.0},
        "controls": ["naive"],
        "tasks": _CATCH,
        "schedule": {"kind": "explicit", "num_steps": 4000, "visits": [{"task": 0}, {"task": 1}, {"task": 0}]},
        "evaluation": {"num_episodes": 2, "max_steps": 20},
    },
    "atari, naive": {
        "kind": "reinforcement",
        "network": {"kind": "dqn", "size": "standard"},
        "agent": {"preset": "small", "history": 4, "replay_period": 64, "replay_capacity": 6000},
        "method": {"kind": "naive"},
        "tasks": [{"kind": "atari", "game": game} for game in ("pong", "breakout")],
        "schedule": {"kind": "explicit", "num_steps": 3000, "visits": [{"task": 0}, {"task": 1}]},
        "evaluation": {"num_episodes": 1, "max_steps": 50},
    },
    "50 million, controls": _digits([7000, 7000], _EWC, "naive", "joint"),
}


def measure(name: str, data_dir: Path | None) -> dict[str, Any]:
    """Estimated and measured bytes of one of `JOBS`."""
    spec = JOB_SPEC.validate_python(JOBS[name])
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        if name == "a file of 100 MB":
            data_dir = data
            random = np.random.default_rng(0)
            inputs = random.random((_NUM_ROWS, _NUM_COLUMNS), dtype=np.float32)
            np.savez(data / _ARRAYS, inputs=inputs, targets=random.integers(0, 3, _NUM_ROWS))
        record = Record(Path(folder), data_dir=data_dir)
        job_id = record.create(JOBS[name])
        points = [0]

        def note_point() -> bool:
            with record.database.read() as work:
                point = work.resume_points.get(job_id)
                points.append(0 if point is None else work.blobs.stat(point.blob_id).size)
            return False

        trained = record.train(job_id, resume_seconds=0, kill_when=note_point)
        with record.database.read() as work:
            job = work.jobs.get(job_id)
            weights = work.checkpoints.latest(job_id, method=job.learning.method.kind)
        if job.status is not JobStatus.SUCCEEDED or weights is None:
            raise RuntimeError(f"the benchmark's job {name!r} is {job.status}: {job.error}")
        record.database.close()
        stored = _bytes_in_use(Path(folder) / "ewc.db") + max(points)
        num_parameters = sum(int(np.prod(entry["shape"])) for entry in weights.tensors if entry["name"].startswith("anchor."))
        data_bytes = sum(file.stat().st_size for file in data.glob(_ARRAYS))
    size = _size(spec, num_parameters, data_bytes)
    return {
        "job": name,
        "num_parameters": num_parameters,
        "least_parameters": 0 if (least := spec.least_size(NO_LIMITS)) is None else least.num_parameters,
        "estimated_memory": size.memory_bytes,
        "measured_memory": trained.peak_bytes,
        "estimated_disk": size.disk_bytes,
        "measured_disk": stored,
        "seconds": trained.seconds,
    }


def _bytes_in_use(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        num_pages, num_free, page_size = (
            int(connection.execute(f"PRAGMA {what}").fetchone()[0]) for what in ("page_count", "freelist_count", "page_size")
        )
    return (num_pages - num_free) * page_size


def _size(spec: SupervisedSpec | ReinforcementSpec, num_parameters: int, data_bytes: int) -> JobSize:
    defaults = StoreSettings.model_fields
    num_kept: int = defaults["snapshots_per_job"].default
    if isinstance(spec, ReinforcementSpec):
        replays: int = defaults["snapshot_replay_bytes"].default
        return reinforcement_size(spec, num_parameters=num_parameters, snapshots_per_job=num_kept, snapshot_replay_bytes=replays)
    return supervised_size(spec, num_parameters=num_parameters, data_bytes=data_bytes, snapshots_per_job=num_kept)


def run(names: list[str] | None = None) -> dict[str, Any]:
    """Measure and print the table."""
    given = os.environ.get("EWC_DATA_DIR")
    data_dir = Path(given).resolve() if given else None
    print(f"{'':24}{'':>12}{'memory, MiB':>30}{'record, MiB':>30}")
    print(f"{'job':24}{'parameters':>12}" + 2 * f"{'estimated':>11}{'measured':>11}{'ratio':>8}")
    rows = []
    for name in names or JOBS:
        if JOBS[name].get("tasks") == _MNIST and dataset_files_missing(DatasetName.MNIST, data_dir):
            print(f"{name:24}   is left out: there is no MNIST in EWC_DATA_DIR")
            continue
        row = measure(name, data_dir)
        text = f"{name:24}{row['num_parameters']:12}"
        for what in ("memory", "disk"):
            estimated, measured = row[f"estimated_{what}"], row[f"measured_{what}"]
            text += f"{estimated / 2**20:11.1f}{measured / 2**20:11.1f}{estimated / measured:8.2f}"
        print(text, flush=True)
        rows.append(row)
    return {"jobs": rows}
