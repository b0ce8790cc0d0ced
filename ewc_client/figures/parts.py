"""The jobs behind a figure: given ones, those that have been submitted before, and new ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ewc_client.client import EWCClient
from ewc_client.errors import FigureError
from ewc_client.figures.recipe import Recipe, spec_sha256
from ewc_client.job import Job
from ewc_client.models import Body

_PAGE_SIZE = 100
_LOST = frozenset({"failed", "cancelled"})


def obtain_jobs(client: EWCClient, recipe: Recipe, given: Mapping[str, str]) -> dict[str, Job]:
    """One job per part. `given` ids are taken as they are; a job that carries the SHA-256 of a part's spec in its
    metadata, and is going on or has succeeded, is taken again; for the rest jobs are submitted.

    Raises:
        FigureError: a given job is of another kind than its part.
    """
    jobs = {part: _checked(client.jobs.get(job_id), part, recipe.parts[part]) for part, job_id in given.items()}
    wanted = {part: spec_sha256(spec) for part, spec in recipe.parts.items() if part not in jobs}
    usable, num_lost = _submitted_before(client, set(wanted.values()))
    for part, digest in wanted.items():
        if digest not in usable:
            usable[digest] = _submit(client, recipe, part, digest, num_lost=num_lost.get(digest, 0))
        jobs[part] = usable[digest]
    return {part: jobs[part] for part in recipe.parts}


def obtain_answer(client: EWCClient, job: Job, question: Body, *, name: str) -> Job:
    """The analysis job that answers `question` about `job`: one that was asked before, or a new one."""
    num_lost = 0
    for analysis in job.analyses():
        if all(analysis.question.get(field) == value for field, value in question.items()):
            if analysis.status not in _LOST:
                return client.jobs.get(analysis.id)
            num_lost += 1
    return job.analyse(question, name=name, idempotency_key=f"{job.id}-{spec_sha256(question)}-{num_lost}").refresh()


def _checked(job: Job, part: str, spec: Body) -> Job:
    kind = spec.get("kind", "supervised")
    if job.kind != kind:
        raise FigureError(f"part {part!r} is a job of kind {kind!r}; job {job.id} is of kind {job.kind!r}")
    return job


def _submitted_before(client: EWCClient, digests: set[str]) -> tuple[dict[str, Job], dict[str, int]]:
    """The newest usable job of each digest, and how many failed or were cancelled."""
    usable: dict[str, Job] = {}
    num_lost: dict[str, int] = {}
    for job in client.jobs.list(page_size=_PAGE_SIZE):
        if digests <= set(usable):
            break
        digest = job.metadata.get("spec_sha256")
        if digest in digests and job.status in _LOST:
            num_lost[digest] = num_lost.get(digest, 0) + 1
        elif digest in digests:
            usable.setdefault(digest, job)
    return usable, num_lost


def _submit(client: EWCClient, recipe: Recipe, part: str, digest: str, *, num_lost: int) -> Job:
    """Two commands at the same time make one job; after a failed or cancelled one the key is another."""
    spec: dict[str, Any] = {"name": f"{recipe.stem}: {part}", **recipe.parts[part]}
    spec["metadata"] = {**spec.get("metadata", {}), "figure": recipe.figure, "part": part, "spec_sha256": digest}
    return client.jobs.create(spec, idempotency_key=f"figure-{digest}-{num_lost}").refresh()
