"""Routes of API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query
from fastapi.responses import JSONResponse

from api.api_key_format import new_key
from api.api_keys.schemas import KEY_EXAMPLES, ApiKey, ApiKeyRequest, NewApiKey, api_key_body
from api.caller import Scope
from api.idempotency import EffectsDep, Outcome
from api.schemas import ListOf, list_of
from api.security import Administrator, AuthenticatedRoute
from api.services import ServicesDep
from store.unit_of_work import Work

router = APIRouter(prefix="/v1/api-keys", tags=["API keys"], route_class=AuthenticatedRoute)


@router.post("", operation_id="create_api_key", status_code=201, response_model=NewApiKey)
def create(
    key: Annotated[ApiKeyRequest, Body(openapi_examples=KEY_EXAMPLES)], caller: Administrator, effects: EffectsDep
) -> JSONResponse:
    """Make a key. Its secret is in this answer and nowhere else.

    A key can be given only what the calling key has itself: its scopes, and its owner unless it has `operator`.
    """
    owner = key.owner or caller.owner
    # Before the transaction, so that the replay of an answer by Idempotency-Key asks for the same.
    _require_owner(caller, owner)
    for scope in key.scopes:
        caller.require(scope, "which the new key would have (`scopes`)")

    def effect(work: Work) -> Outcome:
        made = new_key()
        record = work.api_keys.create(
            owner=owner,
            name=key.name,
            scopes=[scope.value for scope in key.scopes],
            prefix=made.prefix,
            secret_sha256=made.secret_sha256,
        )
        body = NewApiKey(**api_key_body(record).model_dump(), key=made.text)
        return Outcome(201, body, {"Cache-Control": "no-store"}, secrets=["key"])

    return effects.run(effect)


@router.get("", operation_id="list_api_keys")
def list_keys(
    caller: Administrator,
    services: ServicesDep,
    owner: Annotated[str | None, Query(description="only keys of this owner; another than yours needs `operator`")] = None,
) -> ListOf[ApiKey]:
    """The keys of your owner, or with `operator` those of all owners; those revoked included."""
    if owner is not None:
        _require_owner(caller, owner)
    wanted = _reach(caller) if owner is None else owner
    with services.database.read() as work:
        return list_of([api_key_body(record) for record in work.api_keys.of_owner(wanted)])


@router.delete("/{key_id}", operation_id="revoke_api_key", status_code=204)
def revoke(key_id: str, caller: Administrator, services: ServicesDep) -> None:
    """Revoke a key at once, your own too. It stays in the list. Any key of your owner; with `operator`, any key."""
    with services.database.write() as work:
        work.api_keys.revoke(key_id, owner=_reach(caller))


def _reach(caller: Administrator) -> str | None:
    """The owner whose keys the caller administers; None means all."""
    return None if Scope.OPERATOR in caller.scopes else caller.owner


def _require_owner(caller: Administrator, owner: str) -> None:
    if owner != caller.owner:
        caller.require(Scope.OPERATOR, f"which the keys of another owner ({owner!r}) need")
