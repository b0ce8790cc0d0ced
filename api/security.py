"""Who calls, and what they may do."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from api.api_key_format import parse_key
from api.caller import Caller, Scope
from api.errors import Unauthorized, UnsupportedMediaType
from api.services import services_of
from api.storable_values import StorableRequest, require_storable_parameters
from ewc_core.errors import StoreUnavailable
from store.unit_of_work import Database

_log = logging.getLogger("api")
_TOUCH_EVERY = timedelta(minutes=1)
_NO_DIGEST = "0" * 64


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
    # The comparison takes the same time whether or not the prefix is known.
    matches = hmac.compare_digest(key.secret_sha256, record.secret_sha256 if record else _NO_DIGEST)
    if record is None or not matches:
        raise Unauthorized("the API key is not known")
    if record.revoked_at is not None:
        raise Unauthorized(f"the API key {record.id} was revoked")
    # This host's clock: it only says how often the time of use is written, and spares every request a statement.
    if record.last_used_at is None or datetime.now(UTC) - record.last_used_at > _TOUCH_EVERY:
        try:
            with database.write() as work:
                work.api_keys.touch(record.id)
        except StoreUnavailable as error:  # who only reads can be served even while the disk is full
            _log.warning("the use of key %s cannot be noted: %s", record.id, error)
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
            return await handle(StorableRequest(request.scope, request.receive))

        return authenticated


def _require_json(content_type: str | None) -> None:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType(content_type)


_bearer = HTTPBearer(auto_error=False, scheme_name="apiKey", description="An API key: `ewc_live_...`")


def caller_with(scope: Scope) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """A dependency: the caller, who must have the scope."""

    async def caller(request: Request, _documented: Annotated[object, Depends(_bearer)]) -> Caller:
        known: Caller = request.state.caller
        known.require(scope)
        return known

    return caller


Reader = Annotated[Caller, Depends(caller_with(Scope.JOBS_READ))]
Writer = Annotated[Caller, Depends(caller_with(Scope.JOBS_WRITE))]
Administrator = Annotated[Caller, Depends(caller_with(Scope.KEYS_ADMIN))]
