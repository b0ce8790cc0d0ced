"""Every error that the product raises on purpose, as one tree.

EwcError
├── SpecError                 a job spec or a value in one that cannot be run; `field` says which
│   ├── DatasetUnavailable    a data set whose files are not there
│   ├── DataChanged           data that a job has read before, and that are no longer the same
│   ├── JobTooLarge           a job that needs more than the operator gives to one
│   └── UserCodeFailed        code of users that raised, or gave what it must not give
│       ├── PluginFailed      ... of a plug-in: a network or a data set
│       └── EnvironmentFailed ... of an environment
├── ParameterMismatch         tensors that do not fit the network (names, shapes or dtypes)
├── NonFiniteError            NaN or infinity where a number was expected
├── StateFormatError          stored bytes that are not what they claim to be
│   ├── ResumePointDamaged    stored state that a job cannot go on from any more
│   └── CheckpointDamaged     a checkpoint whose stored bytes are not those that were written
├── RecordError               the record refuses (raised by `store`)
│   ├── NotFound              no such record, or not this owner's
│   ├── IllegalTransition     a move that the table of job states does not allow
│   ├── StreamClosed          a task switch for a job whose stream is closed
│   ├── SequenceConflict      a task switch with another sequence number than the next
│   ├── IdempotencyConflict   one key, two different requests; or the first is still in flight
│   ├── InvalidCursor         a page cursor that names no record
│   ├── Fenced                a write with a stale lease epoch
│   ├── BlobIncomplete        a blob finished before all of its chunks were there
│   ├── BlobCorrupt           stored bytes whose checksum does not match
│   └── RowDamaged            a row of which a value cannot be read
└── StoreUnavailable          database unreachable, or its schema is not the one this version needs
    └── StoreDamaged          a database file, page or index that is not as it was written

`code` is stable and public: it appears in problem documents and in a failed job's `error.code`. `retryable` says whether
the same job can go on once what the message names has been put right outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class EwcError(Exception):
    """Base of the tree. `field` is where in a spec the mistake is, a dotted path such as `tasks.2.dataset`, if that is known."""

    code: ClassVar[str] = "ewc_error"
    retryable: ClassVar[bool] = False
    field: str = ""


class SpecError(EwcError):
    """A value that cannot be run. Where it tells of several mistakes, `parts` are the errors of each."""

    code = "invalid_spec"

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.parts: tuple[EwcError, ...] = ()


class DatasetUnavailable(SpecError):
    """A known data set whose files are not in the data directory."""

    code = "dataset_unavailable"
    retryable = True


class DataChanged(SpecError):
    """Data that a job has read before are not what they were; `changed` says for each name what has changed."""

    code = "data_changed"
    retryable = True

    def __init__(self, message: str, *, field: str = "", changed: Mapping[str, str] | None = None) -> None:
        super().__init__(message, field=field)
        self.changed = dict(changed or {})


class JobTooLarge(SpecError):
    """A job that needs more memory or disk than one job may take."""

    code = "job_too_large"


class UserCodeFailed(SpecError):
    """Code that users brought raised, or gave what it must not give: no attempt can help before it is mended."""

    code = "user_code_failed"


class PluginFailed(UserCodeFailed):
    """A plug-in's network or data set, named by the message."""

    code = "plugin_failed"


class EnvironmentFailed(UserCodeFailed):
    """An environment of gymnasium, named by the message."""

    code = "environment_failed"


class ParameterMismatch(EwcError):
    """Tensors that do not fit the network's parameters."""

    code = "parameter_mismatch"


class NonFiniteError(EwcError):
    """A loss, gradient or Fisher entry that is NaN or infinite."""

    code = "non_finite"


class StateFormatError(EwcError):
    """Bytes that are not a valid resume point or checkpoint."""

    code = "state_format"


class ResumePointDamaged(StateFormatError):
    """What a job would go on from is not what was stored. `what` says which part, in the user's words."""

    code = "resume_point_damaged"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the job cannot go on where it was: {what}. No retry can help. Submit its spec again as a new job; "
            "the checkpoints of its finished visits stay where they are"
        )


class CheckpointDamaged(StateFormatError):
    """The stored bytes of a checkpoint are not those that were written."""

    code = "checkpoint_damaged"

    def __init__(self, checkpoint_id: str) -> None:
        super().__init__(
            f"the stored content of checkpoint {checkpoint_id} is damaged, and cannot be used. No retry can help. "
            "Use a copy that was downloaded earlier or another checkpoint of the job, or submit the job's spec again"
        )
        self.checkpoint_id = checkpoint_id


class RecordError(EwcError):
    """The record refuses a read or a write."""

    code = "record_error"


class NotFound(RecordError):
    """No record with this id is visible to this owner."""

    code = "not_found"

    def __init__(self, kind: str, record_id: str) -> None:
        super().__init__(f"no {kind} with id {record_id!r}")
        self.kind = kind
        self.record_id = record_id


class IllegalTransition(RecordError):
    """The job cannot move from `current` to `requested`; `allowed` lists the states that it can move to.

    `message` says it in the words of whoever asked.
    """

    code = "illegal_transition"

    def __init__(self, job_id: str, current: str, requested: str, allowed: Sequence[str], *, message: str = "") -> None:
        choices = ", ".join(allowed) if allowed else "nothing, for this state is final"
        plain = f"job {job_id} is {current!r} and cannot become {requested!r}; allowed from here: {choices}"
        super().__init__(message or plain)
        self.job_id = job_id
        self.current = current
        self.requested = requested
        self.allowed = tuple(allowed)


class StreamClosed(RecordError):
    """A task switch was sent to a job whose stream takes no more of them."""

    code = "stream_closed"

    def __init__(self, job_id: str, status: str, allowed: Sequence[str]) -> None:
        choices = ", ".join(allowed) if allowed else "none"
        super().__init__(
            f"the stream of job {job_id} (status {status!r}) is closed and takes no task switch; "
            f"what this job still allows: {choices}"
        )
        self.job_id = job_id
        self.status = status
        self.allowed = tuple(allowed)


class SequenceConflict(RecordError):
    """A task switch carried `given` where `expected` was next."""

    code = "sequence_conflict"

    def __init__(self, job_id: str, given: int, expected: int) -> None:
        super().__init__(f"task switch for job {job_id} has sequence {given}, expected {expected}")
        self.given = given
        self.expected = expected


class IdempotencyConflict(RecordError):
    """One idempotency key was used for two requests, or its first request is still in flight."""

    code = "idempotency_conflict"


class InvalidCursor(RecordError):
    """A page cursor that names no record of this list."""

    code = "invalid_cursor"


class Fenced(RecordError):
    """A write by a holder whose lease has been taken over."""

    code = "fenced"

    def __init__(self, job_id: str, epoch: int) -> None:
        super().__init__(f"lease epoch {epoch} of job {job_id} is stale: another worker holds the job; nothing was written")
        self.job_id = job_id
        self.epoch = epoch


class BlobIncomplete(RecordError):
    """A blob was finished although chunks or bytes are missing."""

    code = "blob_incomplete"


class BlobCorrupt(RecordError):
    """Stored bytes do not match their checksum."""

    code = "blob_corrupt"


class RowDamaged(RecordError):
    """A stored value is not what its column holds: text that is no JSON, for instance. `what` says which kind of value and shows
    nothing of it."""

    code = "row_damaged"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the record is damaged: {what}. No retry can help. Submit the spec again as a new job, or have the operator restore "
            "the database from a backup"
        )


class StoreUnavailable(EwcError):
    """The database cannot be used: unreachable, or not migrated to this version's schema."""

    code = "store_unavailable"


class StoreDamaged(StoreUnavailable):
    """The database itself is damaged, and has to be restored from a backup."""

    code = "store_damaged"
