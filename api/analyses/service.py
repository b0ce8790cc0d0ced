"""The bodies of analyses."""

from __future__ import annotations

from api.analyses.schemas import Analysis
from api.jobs.schemas import JobError
from api.results.schemas import result_body
from api.root_path import public_path
from store.records import JobRecord, ResultRecord


def analysis_body(job: JobRecord, found: ResultRecord | None) -> Analysis:
    """A job of kind `analysis` as an answer to the job that it is about, with what it has found."""
    spec = job.spec
    if spec.asked_about is None:
        raise TypeError(f"job {job.id} is of kind {spec.kind!r}, which is no analysis")
    analysed, question = spec.asked_about
    path = public_path(f"/v1/jobs/{job.id}")
    return Analysis(
        id=job.id,
        job_id=analysed,
        name=spec.name,
        seed=job.stored_spec["seed"],
        question=question,
        status=job.status,
        error=JobError.model_validate(dict(job.error)) if job.error is not None else None,
        result=result_body(job, found) if found is not None else None,
        created_at=job.created_at,
        finished_at=job.finished_at,
        links={"job": path, "result": f"{path}/result", "analysed": public_path(f"/v1/jobs/{analysed}")},
    )
