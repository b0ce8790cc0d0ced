"""The caller of a request: an owner, and what its key may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from api.errors import ScopeMissing


class Scope(StrEnum):
    """What a key may do. `operator` widens `keys:admin` to the keys of all owners; it shows nobody's jobs."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    KEYS_ADMIN = "keys:admin"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Caller:
    """The owner behind a request's key. Everything that a request reads or writes belongs to `owner`."""

    owner: str
    key_id: str
    scopes: frozenset[str]

    @property
    def actor(self) -> str:
        """How the job's history names the caller."""
        return f"api:{self.key_id}"

    def require(self, scope: Scope, purpose: str | None = None) -> None:
        """Raises ScopeMissing when the key lacks the scope; `purpose` says what needs it."""
        if scope.value not in self.scopes:
            raise ScopeMissing(scope.value, purpose)
