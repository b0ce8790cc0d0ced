"""Routes of API keys."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse

from api.api_key_format import new_key
from api.api_keys.schemas import KEY_EXAMPLES, ApiKey, ApiKeyRequest, NewApiKey, api_key_body
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
    """Make a key. Its secret is in this answer and nowhere else."""

    def effect(work: Work) -> Outcome:
        made = new_key()
        record = work.api_keys.create(
            owner=key.owner or caller.owner,
            name=key.name,
            scopes=[scope.value for scope in key.scopes],
            prefix=made.prefix,
            secret_sha256=made.secret_sha256,
        )
        body = NewApiKey(**api_key_body(record).model_dump(), key=made.text)
        return Outcome(201, body, {"Cache-Control": "no-store"}, secrets=["key"])

    return effects.run(effect)


@router.get("", operation_id="list_api_keys")
def list_keys(caller: Administrator, services: ServicesDep) -> ListOf[ApiKey]:
    """The keys of your owner, those revoked included."""
    with services.database.read() as work:
        return list_of([api_key_body(record) for record in work.api_keys.list(caller.owner)])


@router.delete("/{key_id}", operation_id="revoke_api_key", status_code=204)
def revoke(key_id: str, caller: Administrator, services: ServicesDep) -> None:
    """Revoke a key at once. It stays in the list."""
    with services.database.write() as work:
        work.api_keys.revoke(key_id, owner=caller.owner)
