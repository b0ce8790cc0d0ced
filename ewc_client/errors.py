"""Every error of the client, as one tree, and how a problem document becomes one of them.

EWCClientError
├── ConfigurationError          nobody said which service to ask, or with which key
├── ServiceUnreachableError     no answer, after every retry
├── IntegrityError              downloaded bytes are not what the service or the publisher says they are
├── DownloadError               no mirror gave a file of a public data set
├── FigureError                 a job is not what a figure needs
├── JobFailedError              `wait(check=True)`: the job failed
├── JobCancelledError           `wait(check=True)`: the job was cancelled
└── ApiError                    the service answered with a problem (RFC 9457)
    ├── InvalidRequestError     400, 413, 415, 416, 422: `errors` says which field
    ├── UnauthorizedError       401
    ├── PermissionDeniedError   403
    ├── NotFoundError           404
    ├── ConflictError           409
    │   ├── IllegalTransitionError   `allowed` lists the states that are possible
    │   ├── StreamClosedError
    │   └── SequenceConflictError    `expected` is the next number
    ├── RateLimitedError        429, after every retry
    └── ServerError             5xx, after every retry
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from ewc_client.visible_text import visible_lines


class EWCClientError(Exception):
    """Base of the tree."""


class ConfigurationError(EWCClientError):
    """The client does not know which service to ask, or with which key."""


class ServiceUnreachableError(EWCClientError):
    """No answer from the service, after every retry."""


class IntegrityError(EWCClientError):
    """Downloaded bytes are not what the service, or the publisher of a data set, says they are."""


class DownloadError(EWCClientError):
    """No mirror gave a file of a public data set, or it cannot be written."""


class FigureError(EWCClientError):
    """A job, or the answer about it, is not what a part of a figure needs."""


class JobFailedError(EWCClientError):
    """The awaited job failed; `code` is the job's `error.code`."""

    def __init__(self, job_id: str, code: str, message: str) -> None:
        super().__init__("\n".join(visible_lines(f"job {job_id} failed ({code}): {message}")))
        self.job_id = job_id
        self.code = code


class JobCancelledError(EWCClientError):
    """The awaited job was cancelled."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"job {job_id} was cancelled")
        self.job_id = job_id


@dataclass(frozen=True)
class FieldError:
    """One refused value: where it is, and why it was refused."""

    where: str
    code: str
    detail: str


class ApiError(EWCClientError):
    """The service answered with a problem. `code` is stable; `problem` is the whole document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.problem = dict(problem)
        self.code = str(problem.get("code", f"http_{status}"))
        self.detail = str(problem.get("detail") or problem.get("title") or "no explanation")
        self.request_id: str | None = problem.get("request_id")
        self.errors = tuple(_field_error(item) for item in _items(problem.get("errors")))
        self.allowed = tuple(str(state) for state in _items(problem.get("allowed")))
        super().__init__(self._message())

    def _message(self) -> str:
        """Foreign text is escaped here, where the lines are ours to tell apart; `detail` and `errors` keep it as it came."""
        same = next((error for error in self.errors if error.detail == self.detail), None)  # said once, with its place
        place = f"{same.where}: " if same is not None and same.where else ""
        lines = visible_lines(f"{place}{self.detail} ({self.code}, HTTP {self.status})")
        for error in self.errors:
            if error is not same:
                lines += [f"  {line}" for line in visible_lines(f"{error.where or 'body'}: {error.detail}")]
        if self.status == 401:
            lines.append("  a key is given as EWC_API_KEY or --api-key, in Python also as api_key")
        if self.status >= 500 and self.request_id:
            lines.append(f"  request id: {self.request_id}")
        return "\n".join(lines)


class InvalidRequestError(ApiError):
    """A value of the request was refused; `errors` says which."""


class UnauthorizedError(ApiError):
    """The API key is missing, wrong or revoked."""


class PermissionDeniedError(ApiError):
    """The API key may not do this."""


class NotFoundError(ApiError):
    """No such record is visible to this API key."""


class ConflictError(ApiError):
    """The record is not in a state that allows this."""


class IllegalTransitionError(ConflictError):
    """The job's status does not allow the move; `allowed` lists what it allows."""


class StreamClosedError(ConflictError):
    """The job takes no such task switch any more."""


class SequenceConflictError(ConflictError):
    """Another task switch came first; `expected` is the next number."""

    @property
    def expected(self) -> int | None:
        """The sequence number that the service expects next."""
        value = self.problem.get("expected")
        return value if isinstance(value, int) else None


class RateLimitedError(ApiError):
    """Too many requests, after every retry."""


class ServerError(ApiError):
    """The service failed, after every retry where one was safe."""


_OF_CODE: dict[str, type[ApiError]] = {
    "illegal_transition": IllegalTransitionError,
    "stream_closed": StreamClosedError,
    "sequence_conflict": SequenceConflictError,
}
_OF_STATUS: dict[int, type[ApiError]] = {
    401: UnauthorizedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitedError,
}


def error_from(response: httpx.Response) -> ApiError:
    """The error that a response with a status other than 2xx stands for. The body must have been read."""
    return problem_error(response.status_code, _problem_of(response))


def problem_error(status: int, problem: Mapping[str, Any]) -> ApiError:
    """The error that a problem document stands for."""
    default = ServerError if status >= 500 else InvalidRequestError
    kind = _OF_CODE.get(str(problem.get("code"))) or _OF_STATUS.get(status, default)
    return kind(status, problem)


def _problem_of(response: httpx.Response) -> Mapping[str, Any]:
    try:
        document = response.json()
    except ValueError:  # a proxy's page, not a problem document
        document = None
    if isinstance(document, dict):
        return document
    return {
        "detail": f"{response.request.method} {response.request.url} answered {response.status_code} without a problem document"
    }


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _field_error(item: Mapping[str, Any]) -> FieldError:
    """`/tasks/2/dataset` in the document becomes `tasks.2.dataset`, as it is written in a spec."""
    pointer = item.get("pointer")
    where = str(pointer).lstrip("/").replace("/", ".") if pointer else str(item.get("parameter") or "")
    return FieldError(where=where, code=str(item.get("code", "")), detail=str(item.get("detail", "")))
