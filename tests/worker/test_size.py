"""What a job leaves in the record, beside what was estimated before."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from ewc_core.specs import SupervisedSpec
from ewc_core.specs.size import supervised_size
from store.tables import BlobChunkRow, SharedChunkRow
from store.unit_of_work import Database
from tests.worker.conftest import SPEC
from worker.runner import JobRunner, Outcome

HIDDEN = 500
NUM_PARAMETERS = 65 * HIDDEN + (HIDDEN + 1) * HIDDEN + (HIDDEN + 1) * 10
ROWS_BYTES = 2**19  # what is estimated for tables and rows


@pytest.mark.parametrize(
    "method",
    [
        {"kind": "ewc", "ewc_lambda": 10.0, "fisher_estimator": "rademacher"},
        {"kind": "si", "strength": 1.0, "penalty_step": "explicit"},
        {"kind": "naive"},
    ],
    ids=lambda method: method["kind"],
)
@pytest.mark.parametrize("num_kept", [1, 100])
def test_a_record_holds_as_many_bytes_as_estimated(database, settings, claim, monkeypatch, method, num_kept) -> None:
    monkeypatch.setattr("worker.runner.SHARE_OF_POINTS", 0)  # a resume point after every step, however long it takes
    changes = {
        "network": {"hidden_sizes": [HIDDEN, HIDDEN]},
        "training": {"num_epochs": 1, "batch_size": 800},
        "method": method,
        "controls": ["joint"],
    }
    fence = claim(**changes)
    runner = JobRunner(database, settings.model_copy(update={"snapshots_per_job": num_kept}), fence)
    after_step, points = runner._after_step, []

    def note_point(run, event):
        after_step(run, event)
        with database.read() as work:
            points.append(work.blobs.stat(work.resume_points.get(fence.job_id).blob_id).size)

    runner._after_step = note_point
    assert runner.run() is Outcome.SETTLED
    _collect(database)
    with database.read() as work:
        sums = [select(func.sum(func.length(table.data))) for table in (BlobChunkRow, SharedChunkRow)]
        stored = sum(int(work.connection.execute(query).scalar_one()) for query in sums) + max(points)
    size = supervised_size(
        SupervisedSpec.model_validate({**SPEC, **changes}), num_parameters=NUM_PARAMETERS, snapshots_per_job=num_kept
    )
    assert stored == pytest.approx(size.disk_bytes - ROWS_BYTES, abs=2**18)


def _collect(database: Database) -> None:
    """What nobody needs, as the reaper does time after time."""
    is_done = False
    while not is_done:
        with database.write() as work:
            is_done = work.blobs.collect_staged(older_than_seconds=-60) is None and work.blobs.collect_unused_chunks() == 0
