"""The jobs of a key's owner: submit, find, steer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ewc_client.findings import Analysis, Result
from ewc_client.job import FINISHED, Job
from ewc_client.models import Body, Page, Task
from ewc_client.paging import fetch_all, fetch_page
from ewc_client.transport import Transport, path_part

__all__ = ["FINISHED", "Job", "Jobs"]


class Jobs:
    """The jobs of the key's owner."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Submit a job spec. With an `idempotency_key` of your own, a repeated call in 24 hours returns the first job."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return self._job(self._transport.request("POST", "/v1/jobs", json=dict(spec), headers=headers).json())

    def check(self, spec: Mapping[str, Any], *, idempotency_key: str | None = None) -> Job:
        """Look a job spec over without submitting it: a job of kind `check` does. Its result says what is wrong, all of it, and
        about how much memory, disk and time the job would take."""
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        return self._job(self._transport.request("POST", "/v1/job-checks", json=dict(spec), headers=headers).json())

    def get(self, job_id: str) -> Job:
        """One job."""
        return self._job(self._transport.request("GET", f"/v1/jobs/{path_part(job_id)}").json())

    def list(self, *, status: str | None = None, page_size: int = 20) -> Iterator[Job]:
        """Every job, newest first, without its spec until that is asked for; pages are fetched as they are needed."""
        return fetch_all(self._transport, "/v1/jobs", {"status": status, "limit": page_size}, self._job)

    def page(
        self, *, status: str | None = None, limit: int = 20, after: str | None = None, before: str | None = None
    ) -> Page[Job]:
        """One page of jobs, newest first."""
        params = {"status": status, "limit": limit, "after": after, "before": before}
        return fetch_page(self._transport, "/v1/jobs", params, self._job)

    def set_priority(self, job_id: str, priority: int) -> Job:
        """Have a job taken earlier or later than others, while it is queued: those with the highest priority go first."""
        path = f"/v1/jobs/{path_part(job_id)}"
        return self._job(self._transport.request("PATCH", path, json={"priority": priority}).json())

    def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job."""
        return self._do(job_id, "cancel")

    def pause(self, job_id: str) -> Job:
        """Ask a job to stop at its next step, and keep its place."""
        return self._do(job_id, "pause")

    def resume(self, job_id: str) -> Job:
        """Let a paused job go on."""
        return self._do(job_id, "resume")

    def retry(self, job_id: str) -> Job:
        """Let a failed job go on from its last resume point."""
        return self._do(job_id, "retry")

    def result(self, job_id: str) -> Result:
        """What an association or analysis job has found."""
        return self.get(job_id).result()

    def analyse(
        self,
        job_id: str,
        question: Mapping[str, Any],
        *,
        name: str | None = None,
        seed: int = 0,
        idempotency_key: str | None = None,
    ) -> Job:
        """Ask what a job has learned; see `Job.analyse`."""
        return self.get(job_id).analyse(question, name=name, seed=seed, idempotency_key=idempotency_key)

    def analyses(self, job_id: str) -> Iterator[Analysis]:
        """The questions asked about a job, newest first, with the answers found so far."""
        return self.get(job_id).analyses()

    def reweight(self, job_id: str, task_index: int, weight: float) -> Task:
        """Let the constraint of a task count `weight` times from the next visit on."""
        return self.get(job_id).reweight(task_index, weight)

    def forget(self, job_id: str, task_index: int) -> Task:
        """Stop holding the network to a task from the next visit on."""
        return self.get(job_id).forget(task_index)

    def _do(self, job_id: str, verb: str) -> Job:
        return self._job(self._transport.request("POST", f"/v1/jobs/{path_part(job_id)}/{verb}").json())

    def _job(self, body: Body) -> Job:
        return Job.from_body(body, self._transport)
