"""Who calls, and what they may do."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from api.api_key_format import parse_key
from api.errors import ScopeMissing, Unauthorized, UnsupportedMediaType
from api.services import services_of
from api.storable_values import CarefulRequest, require_storable_parameters
from store.unit_of_work import Database

_TOUCH_EVERY = timedelta(minutes=1)
_NO_DIGEST = "0" * 64


class Scope(StrEnum):
    """What a key may do."""

    JOBS_READ = "jobs:read"
    JOBS_WRITE = "jobs:write"
    KEYS_ADMIN = "keys:admin"


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


def authenticate(database: Database, authorization: str | None) -> Caller:
    """The caller that an Authorization header names.

    Raises:
        Unauthorized: no header, another scheme, a malformed key, an unknown one, a wrong secret or a revoked key.
    """
    if authorization is None:
        raise Unauthorized("the request has no Authorization header; expected 'Authorization: Bearer ewc_live_...'")
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthorized("the Authorization header has another scheme than 'Bearer'")
    key = parse_key(text.strip())
    if key is None:
        raise Unauthorized("the API key is malformed: its form or its checksum is wrong")
    with database.read() as work:
        record = work.api_keys.find(key.prefix)
        now = work.now
    # The comparison takes the same time whether or not the prefix is known.
    matches = hmac.compare_digest(key.secret_sha256, record.secret_sha256 if record else _NO_DIGEST)
    if record is None or not matches:
        raise Unauthorized("the API key is not known")
    if record.revoked_at is not None:
        raise Unauthorized(f"the API key {record.id} was revoked")
    if record.last_used_at is None or now - record.last_used_at > _TOUCH_EVERY:
        with database.write() as work:
            work.api_keys.touch(record.id)
    return Caller(owner=record.owner, key_id=record.id, scopes=frozenset(record.scopes))


class AuthenticatedRoute(APIRoute):
    """A route that knows its caller before it reads the body: strangers learn nothing from 400, 415 or 422."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        takes_body = self.body_field is not None

        async def authenticated(request: Request) -> Response:
            authorization = request.headers.get("authorization")
            request.state.caller = await run_in_threadpool(authenticate, services_of(request).database, authorization)
            require_storable_parameters(request)
            if takes_body:
                _require_json(request.headers.get("content-type"))
            return await handle(CarefulRequest(request.scope, request.receive))

        return authenticated


def _require_json(content_type: str | None) -> None:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType(content_type)


_bearer = HTTPBearer(auto_error=False, scheme_name="apiKey", description="An API key: `ewc_live_...`")


def caller_with(scope: Scope) -> Callable[..., Caller]:
    """A dependency: the caller, who must have the scope."""

    def caller(request: Request, _documented: Annotated[object, Depends(_bearer)]) -> Caller:
        known: Caller = request.state.caller
        if scope.value not in known.scopes:
            raise ScopeMissing(scope.value)
        return known

    return caller


Reader = Annotated[Caller, Depends(caller_with(Scope.JOBS_READ))]
Writer = Annotated[Caller, Depends(caller_with(Scope.JOBS_WRITE))]
Administrator = Annotated[Caller, Depends(caller_with(Scope.KEYS_ADMIN))]
