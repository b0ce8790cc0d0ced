"""What the service has to say about a job beside its scores: results, analyses, warnings, attempts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ewc_client.models import Body


@dataclass(frozen=True)
class JobWarning:
    """Something that a job's owner should know; `code` is stable."""

    code: str
    message: str
    visit_index: int | None
    at: str

    @classmethod
    def from_body(cls, body: Body) -> JobWarning:
        """From an item of a job's `warnings`."""
        return cls(str(body["code"]), str(body["message"]), body.get("visit_index"), str(body["at"]))


@dataclass(frozen=True)
class Attempt:
    """One attempt to run a job; `environment` is where: what can change the bits of a result, by name."""

    attempt: int
    worker_id: str
    started_at: str
    environment: Mapping[str, str]

    @classmethod
    def from_body(cls, body: Body) -> Attempt:
        """From an item of the attempts list."""
        return cls(int(body["attempt"]), str(body["worker_id"]), str(body["started_at"]), body["environment"])


@dataclass(frozen=True)
class Result:
    """The findings of a job without tasks; `kind` (association, check, overlap, perturbation, capacity) says which."""

    job_id: str
    kind: str
    body: Body
    created_at: str
    raw: Body = field(repr=False)

    @classmethod
    def from_body(cls, body: Body) -> Result:
        """From the answer of `/result`, or from an analysis."""
        return cls(str(body["job_id"]), str(body["kind"]), body["body"], str(body["created_at"]), body)


@dataclass(frozen=True)
class Analysis:
    """A question about the job `job_id`; the job `id` answers it. `result` is None until it has."""

    id: str
    job_id: str
    name: str | None
    question: Body
    status: str
    result: Result | None
    raw: Body = field(repr=False)

    @classmethod
    def from_body(cls, body: Body) -> Analysis:
        """From an item of the analyses list."""
        found = body.get("result")
        return cls(
            id=str(body["id"]),
            job_id=str(body["job_id"]),
            name=body.get("name"),
            question=body["question"],
            status=str(body["status"]),
            result=None if found is None else Result.from_body(found),
            raw=body,
        )
