"""A claimed job, ready to be trained in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from ewc_core.specs import SupervisedSpec
from store.records import Fence
from store.unit_of_work import Database
from worker.settings import WorkerSettings

SPEC = {
    "network": {"hidden_sizes": [16]},
    "training": {"num_epochs": 2, "batch_size": 64},
    "method": {"kind": "ewc", "ewc_lambda": 10.0},
    "controls": ["naive"],
    "tasks": [{"dataset": "digits"}, {"dataset": "digits", "permutation": 1}],
}
Claim = Callable[..., Fence]


@pytest.fixture(autouse=True)
def _torch_settings_are_put_back() -> Iterator[None]:
    """Training sets threads and determinism for its own process, which here is the tests'."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    yield
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> WorkerSettings:
    return WorkerSettings(database_url=database_url, state_dir=tmp_path, data_dir=None, flush_seconds=1e-6, resume_seconds=0)


@pytest.fixture
def claim(database: Database) -> Claim:
    """Create a job and claim it; or claim a given job again."""

    def _claim(job_id: str | None = None, **changes: object) -> Fence:
        with database.write() as work:
            if job_id is None:
                job_id = work.jobs.create(SupervisedSpec.model_validate({**SPEC, **changes}), owner="tests").id
            fence = work.leases.claim(job_id, worker_id="worker-1", ttl_seconds=60)
        assert fence is not None
        return fence

    return _claim
