"""API keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import bindparam, func, insert, select, update

from ewc_core.errors import NotFound
from store.base import db_now
from store.ids import new_id
from store.records import ApiKeyRecord
from store.repositories.repository import Repository
from store.tables import ApiKeyRow

# Every request asks this: a statement made once is not put together and looked up anew each time.
_FIND = select(*ApiKeyRow.__table__.columns).where(ApiKeyRow.prefix == bindparam("prefix"))


class ApiKeys(Repository):
    """Keys by their public prefix; the secret itself is never stored."""

    def create(self, *, owner: str, name: str, scopes: Sequence[str], prefix: str, secret_sha256: str) -> ApiKeyRecord:
        """Record a new key."""
        self._connection.execute(
            insert(ApiKeyRow).values(
                id=new_id("key"),
                owner=owner,
                name=name,
                prefix=prefix,
                secret_sha256=secret_sha256,
                scopes=list(scopes),
                created_at=self._now,
            )
        )
        return ApiKeyRecord(**self._connection.execute(select(ApiKeyRow).where(ApiKeyRow.prefix == prefix)).mappings().one())

    def find(self, prefix: str) -> ApiKeyRecord | None:
        """The key with this prefix, revoked or not, or None."""
        row = self._connection.execute(_FIND, {"prefix": prefix}).mappings().one_or_none()
        return None if row is None else ApiKeyRecord(**row)

    def of_owner(self, owner: str | None) -> list[ApiKeyRecord]:
        """The owner's keys, or those of all owners; oldest first."""
        query = select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id)
        if owner is not None:
            query = query.where(ApiKeyRow.owner == owner)
        return [ApiKeyRecord(**row) for row in self._connection.execute(query).mappings()]

    def living(self, key_ids: Collection[str]) -> dict[str, frozenset[str]]:
        """The scopes of those of the keys that have not been revoked."""
        query = select(ApiKeyRow.id, ApiKeyRow.scopes).where(ApiKeyRow.id.in_(key_ids), ApiKeyRow.revoked_at.is_(None))
        return {key_id: frozenset(scopes) for key_id, scopes in self._connection.execute(query)}

    def set_scopes(self, key_id: str, scopes: Sequence[str]) -> None:
        """Replace what the key may do."""
        self._connection.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(scopes=list(scopes)))

    def revoke(self, key_id: str, *, owner: str | None) -> ApiKeyRecord:
        """End the key, if it is one of the owner's (None: of anybody's); revoking it again changes nothing.

        Raises:
            NotFound: the owner has no such key.
        """
        revoked_at = func.coalesce(ApiKeyRow.revoked_at, self._now)
        statement = update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(revoked_at=revoked_at)
        if owner is not None:
            statement = statement.where(ApiKeyRow.owner == owner)
        if self._connection.execute(statement).rowcount == 0:
            raise NotFound("api key", key_id)
        return ApiKeyRecord(**self._connection.execute(select(ApiKeyRow).where(ApiKeyRow.id == key_id)).mappings().one())

    def count(self) -> int:
        """How many keys exist, revoked ones among them."""
        return self._connection.execute(select(func.count()).select_from(ApiKeyRow)).scalar_one()

    def touch(self, key_id: str) -> None:
        """The key was used just now."""
        self._connection.execute(update(ApiKeyRow).where(ApiKeyRow.id == key_id).values(last_used_at=db_now()))
