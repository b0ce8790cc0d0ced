"""Routes for operators; none of them needs a key."""

from __future__ import annotations

import platform
from importlib.metadata import version as installed_version

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from api.errors import NotReady
from api.operations.schemas import Health, Readiness, Version
from api.problems import BY_CODE
from api.readiness import checks
from api.services import ServicesDep
from ewc_core.errors import NotFound
from migrations import HEAD

router = APIRouter(tags=["operations"])


@router.get("/healthz", operation_id="get_health")
def health() -> Health:
    """Whether the process answers. It asks nothing else."""
    return Health()


@router.get("/readyz", operation_id="get_readiness")
def readiness(services: ServicesDep) -> Readiness:
    """Whether database, schema and broker are there; 503 when one of them is not."""
    results, num_live_workers = checks(services)
    bad = [name for name, result in results.items() if result != "ok"]
    if bad:
        raise NotReady(f"not ready: {', '.join(bad)}", members={"checks": results})
    return Readiness(checks=results, num_live_workers=num_live_workers)


@router.get("/version", operation_id="get_version")
def version() -> Version:
    """Versions of the service, of its database schema and of Python."""
    return Version(version=installed_version("ewc-service"), schema_revision=HEAD, python=platform.python_version())


@router.get("/problems/{code}", operation_id="get_problem_type", response_class=PlainTextResponse)
def problem_type(code: str) -> PlainTextResponse:
    """What a problem's code means and what to do about it."""
    problem = BY_CODE.get(code)
    if problem is None:
        raise NotFound("problem type", code)
    return PlainTextResponse(f"{problem.title} (HTTP {problem.status}, code {problem.code})\n\n{problem.explanation}\n")
