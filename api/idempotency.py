"""One effect per Idempotency-Key.

The answer is stored in the transaction of its effect, so there is never one without the other. Two requests with the
same key at the same time: the database lets one commit; the other rolls its effect back, and replays the answer.
Refused requests (4xx) leave nothing behind and can be repeated. The window is 24 hours.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from api.errors import InvalidHeader
from api.services import Services, services_of
from ewc_core.errors import EwcError, IdempotencyConflict
from store.records import IdempotencyRecord
from store.unit_of_work import Work

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True)
class Outcome:
    """What an effect answers. `wake` names a job that is queued now and needs a worker.

    `secrets` names members of the body that must not be stored: a replay has null there.
    """

    status: int
    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)
    wake: str | None = None
    secrets: Sequence[str] = ()


class Effects:
    """Runs the one write transaction of a POST request."""

    def __init__(self, services: Services, *, owner: str, key: str | None, request_sha256: str) -> None:
        self._services = services
        self._owner = owner
        self._key = key
        self._request_sha256 = request_sha256

    def run(self, effect: Callable[[Work], Outcome]) -> JSONResponse:
        """Make the effect and answer it; or replay the answer, when this key has had its effect.

        Raises:
            IdempotencyConflict: the key belongs to another request.
        """
        try:
            return self._run_once(effect)
        except EwcError:
            # A twin of this request may have committed in the meantime, and left nothing to do for this one.
            earlier = self._find_again()
            if earlier is None:
                raise
            return self._replay(earlier)

    def _run_once(self, effect: Callable[[Work], Outcome]) -> JSONResponse:
        with self._services.database.write() as work:
            earlier = work.idempotency.find(self._owner, self._key) if self._key else None
            if earlier is not None:
                return self._replay(earlier)
            outcome = effect(work)
            body: dict[str, Any] = outcome.body.model_dump(mode="json")
            if self._key:
                work.idempotency.put(
                    self._owner,
                    self._key,
                    request_sha256=self._request_sha256,
                    status=outcome.status,
                    body={**body, **dict.fromkeys(outcome.secrets)},
                    headers=dict(outcome.headers),
                )
        if outcome.wake is not None:
            self._services.wake(outcome.wake)
        return JSONResponse(body, status_code=outcome.status, headers=dict(outcome.headers))

    def _find_again(self) -> IdempotencyRecord | None:
        if self._key is None:
            return None
        with self._services.database.read() as work:
            return work.idempotency.find(self._owner, self._key)

    def _replay(self, earlier: IdempotencyRecord) -> JSONResponse:
        if earlier.request_sha256 != self._request_sha256:
            raise IdempotencyConflict(f"Idempotency-Key {self._key!r} was used for another request (other path or other body)")
        headers = {**earlier.headers, "Idempotency-Replayed": "true"}
        return JSONResponse(dict(earlier.body), status_code=earlier.status, headers=headers)


async def request_sha256(request: Request) -> str:
    """Fingerprint of method, path, query and body."""
    body = await request.body()
    head = f"{request.method} {request.url.path}?{request.url.query}\n"
    return sha256(head.encode() + body).hexdigest()


async def effects(
    request: Request,
    fingerprint: Annotated[str, Depends(request_sha256)],
    idempotency_key: Annotated[
        str | None,
        Header(
            description="1 to 255 visible ASCII characters: within 24 hours the same key has one effect and one answer",
            examples=["3f1c8f0e-1d1b-4c0e-9d43-0a4f0f6f7a11"],
        ),
    ] = None,
) -> Effects:
    """A dependency: the transaction of this request."""
    if idempotency_key is not None and not _KEY.fullmatch(idempotency_key):
        raise InvalidHeader("Idempotency-Key must be 1 to 255 visible ASCII characters")
    owner: str = request.state.caller.owner
    return Effects(services_of(request), owner=owner, key=idempotency_key, request_sha256=fingerprint)


EffectsDep = Annotated[Effects, Depends(effects)]
