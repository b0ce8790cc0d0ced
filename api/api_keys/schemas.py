"""Requests and bodies of API keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import Field, field_validator

from api.caller import Scope
from api.schemas import Body, Record
from store.records import ApiKeyRecord


class ApiKeyRequest(Body):
    """A key to make. Without `owner` it belongs to the caller's owner; another one needs `operator`."""

    name: str = Field(min_length=1, max_length=64)
    scopes: list[Scope] = Field(default=[Scope.JOBS_READ, Scope.JOBS_WRITE], min_length=1, max_length=len(Scope))
    owner: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")

    @field_validator("scopes")
    @classmethod
    def _scopes_differ(cls, scopes: list[Scope]) -> list[Scope]:
        if len(set(scopes)) != len(scopes):
            raise ValueError(f"scopes {[scope.value for scope in scopes]} name one scope twice")
        return scopes


class ApiKey(Record):
    """A key without its secret; `prefix` is the part of the key that names it."""

    object: Literal["api_key"] = "api_key"
    owner: str
    name: str
    prefix: str
    scopes: Sequence[Scope]
    created_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewApiKey(ApiKey):
    """A key that has just been made. `key` is shown this once; a replay by Idempotency-Key has null there."""

    key: str | None


def api_key_body(record: ApiKeyRecord) -> ApiKey:
    """The key as the service shows it."""
    return ApiKey.model_validate(vars(record))


KEY_EXAMPLES: dict[str, Any] = {
    "reader": {"summary": "A key that can only read", "value": {"name": "dashboard", "scopes": ["jobs:read"]}},
    "other_owner": {"summary": "A key for another owner", "value": {"name": "team b", "owner": "team-b"}},
}
