"""Settings that every process shares: where the record and the broker are, and how leases are timed."""

from __future__ import annotations

from pathlib import Path

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from ewc_core.specs.limits import JobLimits

FILESYSTEM_BROKER = "filesystem://"
_OLD_NAMES = {"REAP_SECONDS": "SWEEP_SECONDS"}
_NONE_WHERE_EMPTY = ("data_dir", "max_job_memory_bytes", "max_job_disk_bytes")
_BROKERS = ("filesystem", "redis", "rediss", "sentinel", "amqp", "amqps")


class StoreSettings(BaseSettings):
    """Read from the environment: `EWC_DATABASE_URL`, `EWC_BROKER_URL`, and so on.

    `state_dir` holds everything of an embedded service: the SQLite file, the broker's folders, the service's address.
    `data_dir` is the folder of data sets, if there is one. Leases last `lease_seconds` and are extended every
    `heartbeat_seconds`; a resume point is written about every `resume_seconds`. A job keeps its newest `snapshots_per_job`
    snapshots; agents' replays are in them where they take at most `snapshot_replay_bytes` together (0: never). A job whose
    estimate is more than `max_job_memory_bytes` or `max_job_disk_bytes` is refused (None: any is let in).

    Raises:
        pydantic.ValidationError: a value is out of range, or the heartbeat leaves less than two tries per lease.
    """

    model_config = SettingsConfigDict(env_prefix="EWC_", extra="ignore", frozen=True, populate_by_name=True)

    state_dir: Path = Path(".ewc")
    data_dir: Path | None = None
    database_url: str = ""
    broker_url: str = FILESYSTEM_BROKER
    lease_seconds: float = Field(default=15.0, gt=0, le=3600)
    heartbeat_seconds: float = Field(default=5.0, gt=0, le=1800)
    reap_seconds: float = Field(
        default=5.0, gt=0, le=3600, validation_alias=AliasChoices("EWC_REAP_SECONDS", "EWC_SWEEP_SECONDS")
    )
    resume_seconds: float = Field(default=60.0, ge=0, le=86400)
    snapshots_per_job: int = Field(default=100, ge=1, le=100_000)
    snapshot_replay_bytes: int = Field(default=64 * 2**20, ge=0)
    max_job_memory_bytes: int | None = Field(default=None, ge=1)
    max_job_disk_bytes: int | None = Field(default=None, ge=1)
    max_attempts_without_progress: int = Field(default=10, ge=1, le=1000)

    @field_validator("state_dir", "data_dir", mode="after")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser().absolute()

    @model_validator(mode="before")
    @classmethod
    def _empty_is_none(cls, values: dict[str, object]) -> dict[str, object]:
        return {name: value for name, value in values.items() if not (name in _NONE_WHERE_EMPTY and value == "")}

    @field_validator("broker_url", mode="after")
    @classmethod
    def _known_broker(cls, value: str) -> str:
        if value.partition("://")[0] not in _BROKERS:
            raise ValueError("expected filesystem:// or something like redis://host:6379/0")
        return value

    @model_validator(mode="after")
    def _database_lies_in_the_state_dir(self) -> StoreSettings:
        if not self.database_url:
            # The settings are frozen for their users; a default that depends on another field is filled in here.
            object.__setattr__(self, "database_url", f"sqlite:///{self.state_dir / 'ewc.db'}")
        return self

    @model_validator(mode="after")
    def _a_lease_survives_one_lost_heartbeat(self) -> StoreSettings:
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError(
                f"heartbeat_seconds {self.heartbeat_seconds} must be at most half of lease_seconds {self.lease_seconds}, "
                "so that one late heartbeat does not lose the lease"
            )
        return self

    @property
    def job_limits(self) -> JobLimits:
        """What one job may take, wherever it runs."""
        return JobLimits(
            memory_bytes=self.max_job_memory_bytes,
            disk_bytes=self.max_job_disk_bytes,
            snapshots_per_job=self.snapshots_per_job,
            snapshot_replay_bytes=self.snapshot_replay_bytes,
        )

    @property
    def broker_dir(self) -> Path:
        """Folder of the filesystem broker's messages."""
        return self.state_dir / "broker"


def refused_settings(error: ValidationError) -> str:
    """Every refused variable, its value (unless it is a URL, which may hold a password) and what is wrong, on one line."""
    return "; ".join(_refused(one) for one in error.errors(include_url=False))


def _refused(one: ErrorDetails) -> str:
    why = one["msg"].removeprefix("Value error, ")
    if not one["loc"]:
        return f"EWC_ settings do not fit together: {why}"
    name = str(one["loc"][0]).upper().removeprefix("EWC_")
    value = "not usable" if name.endswith("_URL") else repr(one["input"])[:100]
    also = f" (or its old name EWC_{_OLD_NAMES[name]})" if name in _OLD_NAMES else ""
    return f"EWC_{name}{also} is {value}: {why}"
