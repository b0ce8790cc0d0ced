"""What the OpenAPI document of an app says, with the problems of every operation."""

from __future__ import annotations

import json
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.problems import BY_CODE, MEDIA_TYPE, Problem

TAGS = [
    {"name": "jobs", "description": "Submit jobs and move them through their life."},
    {"name": "task switches", "description": "Announce tasks while a job runs."},
    {"name": "tasks", "description": "The learning problems of a job, and how strongly each holds the network."},
    {"name": "events", "description": "What happens to a job, as it happens."},
    {"name": "metrics", "description": "Training curves."},
    {"name": "evaluations", "description": "How well each task seen so far is retained."},
    {
        "name": "checkpoints",
        "description": "What every visit left: anchor and Fisher to download, and the snapshot from which the job can go on.",
    },
    {"name": "results", "description": "What association and analysis jobs have found."},
    {"name": "analyses", "description": "Questions about what a job has learned."},
    {"name": "sweeps", "description": "Search for the best values of a job's fields, without looking at test data."},
    {"name": "catalogue", "description": "What can be asked of this service."},
    {"name": "API keys", "description": "Who may call."},
    {"name": "operations", "description": "For those who run the service."},
]
_CONFLICTING = {
    "create_job",
    "cancel_job",
    "pause_job",
    "resume_job",
    "retry_job",
    "create_task_switch",
    "reweight_task",
    "forget_task",
    "get_matrix",
    "get_result",
    "create_analysis",
    "cancel_sweep",
}
_OF_EVERY_V1_OPERATION = {"401", "403", "422", "500", "503"}


def document(app: FastAPI) -> dict[str, Any]:
    """The app's OpenAPI document, with every problem that an operation can answer."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes, tags=app.openapi_tags
        )
        schemas = schema["components"]["schemas"]
        problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs"))
        schemas["Problem"] = problem
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        for path, operations in schema["paths"].items():
            for operation in operations.values():
                _add_problems(path, operation)
        _suit_generators(schema, schemas)
        app.openapi_schema = schema
    return app.openapi_schema


def _suit_generators(part: Any, schemas: dict[str, Any]) -> None:
    """Say what generators of clients stumble over in another way (`docs/decisions/0021-clients.md`).

    An object default beside `$ref`, `oneOf` or `anyOf` goes into the description. The field that tells the members of a union
    apart is required in each of them: it is, though pydantic calls it optional because it has one value only.
    """
    if isinstance(part, list):
        for item in part:
            _suit_generators(item, schemas)
    if not isinstance(part, dict):
        return
    if isinstance(part.get("default"), dict) and part.keys() & {"$ref", "oneOf", "anyOf"}:
        default = json.dumps(part.pop("default"), ensure_ascii=False)
        part["description"] = f"{part.get('description', '')}\n\nDefault: `{default}`".strip()
    if isinstance(part.get("discriminator"), dict):
        name = part["discriminator"]["propertyName"]
        for reference in part["discriminator"]["mapping"].values():
            member = schemas[reference.rpartition("/")[2]]
            member["required"] = [name, *(other for other in member.get("required", []) if other != name)]
    for value in part.values():
        _suit_generators(value, schemas)


def _add_problems(path: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    for status in sorted(_problem_statuses(path, operation)):
        titles = sorted(problem.title for problem in BY_CODE.values() if str(problem.status) == status)
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        responses[status] = {"description": "Problem: " + "; ".join(titles), "content": content}


def _problem_statuses(path: str, operation: dict[str, Any]) -> set[str]:
    if not path.startswith("/v1"):
        return {"404"} if "{" in path else {"503"}
    statuses = set(_OF_EVERY_V1_OPERATION)
    if "requestBody" in operation:
        statuses |= {"400", "413", "415"}
    if any(parameter["in"] == "query" or parameter["in"] == "header" for parameter in operation.get("parameters", [])):
        statuses.add("400")
    if "{" in path:
        statuses.add("404")
    if operation["operationId"] in _CONFLICTING:
        statuses.add("409")
    if path.endswith("/content"):
        statuses.add("416")
    return statuses
