"""Errors that only an HTTP request can cause; a branch of the one tree in `ewc_core.errors`.

ApiError
├── Unauthorized          no key, or one that is wrong or revoked
├── ScopeMissing          a good key that may not do this
├── BodyTooLarge          a request body over the limit
├── UnsupportedMediaType  a body that does not say that it is JSON
├── InvalidHeader         a request header whose value cannot be read
├── RangeNotSatisfiable   a byte range that the content does not have
├── SwitchNotPossible     "switch now" with nothing to switch from or to
├── WrongJobKind          a question that jobs of this kind have no answer to
├── NoResult              a job that has found nothing yet
├── NotLearned            a question about a task or visit that has not been learned yet
├── NoConstraint          a weight for a task that has no constraint of its own
├── JobFinished           a change to a job that trains no more
├── JobNotQueued          a change to the place in the queue of a job that is not in it
├── SweepFinished         the cancellation of a sweep that is over
└── NotReady              something that the service needs is not reachable
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ewc_core.errors import EwcError


class ApiError(EwcError):
    """Base of the branch. `members` go into the problem document as they are."""

    code = "api_error"

    def __init__(
        self, message: str, *, members: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.members = dict(members or {})
        self.headers = dict(headers or {})


class Unauthorized(ApiError):
    """The request carries no valid API key."""

    code = "unauthorized"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers={"WWW-Authenticate": 'Bearer realm="ewc"'})


class ScopeMissing(ApiError):
    """The key is valid but lacks `scope`."""

    code = "scope_missing"

    def __init__(self, scope: str, purpose: str | None = None) -> None:
        lacks = f"this API key lacks the scope {scope!r}"
        super().__init__(lacks if purpose is None else f"{lacks}, {purpose}", members={"missing_scope": scope})


class BodyTooLarge(ApiError):
    """The request body is larger than `limit` bytes."""

    code = "body_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the request body is larger than {limit} bytes", members={"limit": limit}, headers={"Connection": "close"}
        )


class UnsupportedMediaType(ApiError):
    """The body's content type is not JSON."""

    code = "unsupported_media_type"

    def __init__(self, content_type: str | None) -> None:
        given = "no content type" if content_type is None else f"content type {content_type!r}"
        super().__init__(f"the body has {given}; expected 'application/json'", headers={"Accept": "application/json"})


class InvalidHeader(ApiError):
    """The value of a request header cannot be read."""

    code = "invalid_header"


class RangeNotSatisfiable(ApiError):
    """The Range header names bytes that the content of `size` bytes does not have, or is malformed."""

    code = "range_not_satisfiable"

    def __init__(self, header: str, size: int) -> None:
        super().__init__(
            f"Range {header!r} does not name a range of bytes within the {size} bytes of this content",
            members={"size": size},
            headers={"Content-Range": f"bytes */{size}"},
        )


class SwitchNotPossible(ApiError):
    """There is no visit to end, or no visit to switch to."""

    code = "switch_not_possible"


class WrongJobKind(ApiError):
    """What is asked for belongs to jobs of another kind."""

    code = "wrong_job_kind"

    def __init__(self, job_id: str, kind: str, message: str) -> None:
        super().__init__(f"job {job_id} is of kind {kind!r}: {message}", members={"kind": kind})


class NoResult(ApiError):
    """The job has no result yet; `status` says whether one can still come."""

    code = "no_result"

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(
            f"job {job_id} is {status!r} and has no result; it has one once it has succeeded", members={"job_status": status}
        )


class NotLearned(ApiError):
    """A task or visit has to be finished before the question can be answered."""

    code = "not_learned"


class NoConstraint(ApiError):
    """The task has no constraint of its own, so there is none to weigh."""

    code = "no_constraint"


class JobFinished(ApiError):
    """The job has come to its end: no visit follows that the change could count in."""

    code = "job_finished"

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(
            f"job {job_id} is {status!r}: no visit follows in which this could count", members={"job_status": status}
        )


class JobNotQueued(ApiError):
    """The job does not wait for a worker, so there is no place in the queue to change."""

    code = "job_not_queued"

    def __init__(self, job_id: str, status: str) -> None:
        super().__init__(
            f"job {job_id} is {status!r}: its priority counts, and can be changed, while it is 'queued'",
            members={"job_status": status},
        )


class SweepFinished(ApiError):
    """The sweep is over: nothing is left to cancel."""

    code = "sweep_finished"

    def __init__(self, sweep_id: str, status: str) -> None:
        super().__init__(f"sweep {sweep_id} is {status!r} already", members={"sweep_status": status})


class NotReady(ApiError):
    """The database, its schema or the broker cannot be used."""

    code = "not_ready"
