"""Every error as an RFC 9457 problem document: the one table from error class to HTTP status, and the document itself.

The `type` of a problem is the path `/problems/{code}` (below `EWC_API_ROOT_PATH`), which the service answers with the
explanation given here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from api import errors as http
from api.root_path import public_path
from ewc_core import errors as core

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class ProblemType:
    """What every problem with this code has in common."""

    code: str
    status: int
    title: str
    explanation: str


def _of(error: type[core.EwcError], status: int, title: str, explanation: str) -> tuple[type[core.EwcError], ProblemType]:
    return error, ProblemType(error.code, status, title, explanation)


OF_ERROR: dict[type[core.EwcError], ProblemType] = dict(
    [
        _of(core.EwcError, 500, "Internal error", "The service failed. The request id leads to the log of the service."),
        _of(
            core.SpecError,
            422,
            "Value cannot be run",
            "A value in the request is well formed but cannot be run; `errors` names the field.",
        ),
        _of(
            core.DatasetUnavailable,
            422,
            "Data set not available",
            "The data set is known, but its files are not in the folder that the service's variable EWC_DATA_DIR names. "
            "Put them there, or choose a data set that GET /v1/catalogue lists as available.",
        ),
        _of(
            core.DataChanged,
            422,
            "Data have changed",
            "Data that the job has read before are not what they were: a file was overwritten, or a plug-in gave other arrays. "
            "The message names them, with the tasks that are made of them and both digests. A job never goes on with other data: "
            "put the old ones back and retry it (it goes on where it was), or submit a new job for the new ones.",
        ),
        _of(
            core.JobTooLarge,
            422,
            "Job too large",
            "The job would take more memory or disk than one job may: the operator's EWC_MAX_JOB_MEMORY_BYTES and "
            "EWC_MAX_JOB_DISK_BYTES, or what the machine has. The message has the estimate and the bound. A smaller network, "
            "fewer controls or tasks, smaller files of data and smaller replays help; POST /v1/job-checks says what a job would "
            "take.",
        ),
        _of(
            core.UserCodeFailed,
            422,
            "Code of users failed",
            "Code that an installed package brings raised, or gave what it must not give.",
        ),
        _of(
            core.PluginFailed,
            422,
            "Plug-in failed",
            "A plug-in's network or data set raised, or breaks its contract. The message names the plug-in, what happened, "
            "and the line of its own code where it did. Mend the plug-in; trying again does not help before.",
        ),
        _of(
            core.EnvironmentFailed,
            422,
            "Environment failed",
            "An environment raised, or gave what no agent can use. The message names the environment, what happened, and "
            "the line of its own code where it did. Mend the environment; trying again does not help before.",
        ),
        _of(core.ParameterMismatch, 500, "Stored parameters do not fit", "Stored tensors do not fit the network of their job."),
        _of(core.NonFiniteError, 500, "Not a finite number", "A computation gave NaN or infinity."),
        _of(core.StateFormatError, 500, "Stored state is malformed", "Stored bytes are not what they claim to be."),
        _of(
            core.ResumePointDamaged,
            500,
            "Resume point damaged",
            "What a job would go on from is not what was stored, so the job has failed, and no retry can help. Submit its spec "
            "again as a new job; the checkpoints of its finished visits stay where they are.",
        ),
        _of(
            core.CheckpointDamaged,
            500,
            "Checkpoint damaged",
            "The stored content of the checkpoint is not what was written, which was found before a byte of it was sent. Use a "
            "copy that was downloaded earlier or another checkpoint of the job, or submit the job's spec again.",
        ),
        _of(core.RecordError, 500, "Record refused", "The database refused a read or a write."),
        _of(
            core.NotFound,
            404,
            "Not found",
            "Nothing with this id is visible to this key. What belongs to another owner looks the same.",
        ),
        _of(
            core.IllegalTransition,
            409,
            "Move not allowed",
            "The job's status does not allow this move. `allowed` lists the states that it can be moved to now, "
            "`allowed_actions` the requests that move it. The whole table is part of GET /v1/catalogue.",
        ),
        _of(
            core.StreamClosed,
            409,
            "Task stream closed",
            "The job takes no such task switch any more: its stream was closed, or it is finished or being cancelled. "
            "`allowed` lists what it still takes.",
        ),
        _of(
            core.SequenceConflict,
            409,
            "Sequence number is not the next",
            "Another task switch came first. Read the job's task switches, then send the next number (`expected`).",
        ),
        _of(
            core.IdempotencyConflict,
            422,
            "Idempotency key used twice",
            "The Idempotency-Key was used within the last 24 hours for another path or body. Use a new key for a new request.",
        ),
        _of(
            core.InvalidCursor, 400, "Page cursor is not valid", "`after` and `before` take the id of a record of the same list."
        ),
        _of(core.Fenced, 409, "Lease lost", "The write came from a worker whose lease of the job had been taken over."),
        _of(core.BlobIncomplete, 500, "Content incomplete", "Stored content lacks some of its parts."),
        _of(core.BlobCorrupt, 500, "Content corrupt", "Stored content does not match its checksum."),
        _of(
            core.RowDamaged,
            500,
            "Record damaged",
            "A value in the database is not what was written. No retry can help: submit the spec again as a new job, or have the "
            "operator restore the database from a backup (the log tells what is damaged, by the request id). Lists of jobs and "
            "sweeps leave such a record out.",
        ),
        _of(
            core.StoreDamaged,
            500,
            "Database damaged",
            "The database is damaged, and trying again does not help: the operator has to restore it from a backup.",
        ),
        _of(
            core.StoreUnavailable,
            503,
            "Database unavailable",
            "The database cannot be reached, its disk is full, or its schema is not the one that this version needs. "
            "Try again later.",
        ),
        _of(http.ApiError, 400, "Request refused", "The request cannot be answered."),
        _of(
            http.Unauthorized,
            401,
            "API key missing or not valid",
            "Send `Authorization: Bearer ewc_live_...` with a key that exists and has not been revoked.",
        ),
        _of(
            http.ScopeMissing,
            403,
            "Scope missing",
            "The API key is valid but may not do this; `missing_scope` names what it lacks.",
        ),
        _of(http.BodyTooLarge, 413, "Body too large", "The request body is over the limit (`limit`, in bytes)."),
        _of(http.UnsupportedMediaType, 415, "Content type not supported", "Send JSON with `Content-Type: application/json`."),
        _of(http.InvalidHeader, 400, "Header not valid", "A request header has a value that cannot be read."),
        _of(
            http.RangeNotSatisfiable,
            416,
            "Range not satisfiable",
            "Ask for a range within the content: `bytes=0-99`, `bytes=100-` or `bytes=-100`. `size` is its length in bytes.",
        ),
        _of(
            http.SwitchNotPossible,
            409,
            "Nothing to switch",
            "`switch_now` ends the visit that is in progress and goes on with the next one; one of the two is not there.",
        ),
        _of(
            http.WrongJobKind,
            409,
            "Wrong kind of job",
            "Jobs of this kind (`kind`) have no such thing. Only jobs that learn tasks have tasks, task switches, a score "
            "matrix, constraints and analyses; only jobs without tasks have a result.",
        ),
        _of(
            http.NoResult,
            404,
            "No result yet",
            "The job has not found anything yet. Follow it, and ask again when its status is succeeded.",
        ),
        _of(
            http.NotLearned,
            409,
            "Not learned yet",
            "The question is about a task or a visit of the job that is not finished yet. Ask again when it is.",
        ),
        _of(
            http.NoConstraint,
            409,
            "No constraint",
            "The task has no constraint of its own: it is not consolidated, or the job's method keeps one sum over all tasks.",
        ),
        _of(
            http.JobFinished,
            409,
            "Job finished",
            "The job's status (`job_status`) is final or about to be: a changed weight counts from the next visit on, and none "
            "follows.",
        ),
        _of(
            http.JobNotQueued,
            409,
            "Job not queued",
            "The job's status (`job_status`) is not queued: a priority decides when a queued job is taken, and changes nothing "
            "before or after.",
        ),
        _of(
            http.SweepFinished,
            409,
            "Sweep finished",
            "The sweep's status (`sweep_status`) is final: its trials have ended, or it has been cancelled already.",
        ),
        _of(http.NotReady, 503, "Not ready", "Something that the service needs is not reachable; `checks` says what."),
    ]
)

MALFORMED_JSON = ProblemType(
    "malformed_json", 400, "Body is not JSON", "The body cannot be read as JSON; `detail` says where reading stopped."
)
INVALID_REQUEST = ProblemType(
    "invalid_request",
    422,
    "Request not valid",
    "`errors` lists every value that was refused: `pointer` (RFC 6901) leads to it in the body, "
    "`parameter` names a query, path or header parameter.",
)
INTERNAL = OF_ERROR[core.EwcError]
OF_STATUS: dict[int, ProblemType] = {
    400: ProblemType("bad_request", 400, "Bad request", "The request cannot be understood."),
    404: ProblemType("no_such_path", 404, "No such path", "The service has nothing at this path. See GET /openapi.json."),
    405: ProblemType(
        "method_not_allowed",
        405,
        "Method not allowed",
        "The path exists, but not with this method; `Allow` and `allowed_methods` list those it has.",
    ),
}
BY_CODE: dict[str, ProblemType] = {
    problem.code: problem for problem in [*OF_ERROR.values(), MALFORMED_JSON, INVALID_REQUEST, *OF_STATUS.values()]
}


class ProblemItem(BaseModel):
    """One refused value."""

    pointer: str | None = Field(default=None, description="JSON pointer into the body", examples=["/method/ewc_lambda"])
    parameter: str | None = Field(default=None, description="name of a query, path or header parameter", examples=["limit"])
    code: str = Field(examples=["greater_than_equal"])
    detail: str = Field(examples=["Input should be greater than or equal to 0"])


class Problem(BaseModel):
    """An RFC 9457 problem document. Some codes add members, as their page says."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["/problems/invalid_request"])
    title: str = Field(examples=["Request not valid"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["1 value was refused: /method/ewc_lambda"])
    instance: str = Field(examples=["/v1/jobs"])
    code: str = Field(examples=["invalid_request"])
    request_id: str = Field(examples=["req_01JD8Z2E5V8Q0N7M3C4B5A6K7H"])
    errors: list[ProblemItem] = []


def type_of(error: core.EwcError) -> ProblemType:
    """The problem type of an error: that of its class, or of the nearest base class in the table."""
    return next(OF_ERROR[base] for base in type(error).__mro__ if base in OF_ERROR)


def members_of(error: core.EwcError) -> dict[str, Any]:
    """The members that an error adds to its problem document."""
    if isinstance(error, core.IllegalTransition | core.StreamClosed):
        return {"allowed": list(error.allowed), **getattr(error, "members", {})}
    if isinstance(error, core.SequenceConflict):
        return {"expected": error.expected}
    return dict(error.members) if isinstance(error, http.ApiError) else {}


def problem_response(
    problem: ProblemType,
    detail: str,
    *,
    instance: str,
    request_id: str,
    items: Sequence[ProblemItem] = (),
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The problem document as a response."""
    document = {
        "type": public_path(f"/problems/{problem.code}"),
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "instance": instance,
        "code": problem.code,
        "request_id": request_id,
        "errors": [item.model_dump(exclude_none=True) for item in items],
        **(members or {}),
    }
    return JSONResponse(document, status_code=problem.status, headers=dict(headers or {}), media_type=MEDIA_TYPE)
