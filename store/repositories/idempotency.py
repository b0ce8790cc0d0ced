"""Idempotency keys: answers for repeated requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, select, tuple_

from ewc_core.errors import IdempotencyConflict
from store.base import db_now
from store.records import IdempotencyRecord
from store.repositories.repository import Repository
from store.tables import IdempotencyRow

COLLECTED_KEYS = 1000
"""Keys that one transaction of the collection deletes at most: each is two of the parameters that a statement may have."""


class Idempotency(Repository):
    """Stored in the transaction that has the effect: either both exist or neither."""

    def find(self, owner: str, key: str) -> IdempotencyRecord | None:
        """The answer that was given to this key, or None."""
        query = select(IdempotencyRow).where(IdempotencyRow.owner == owner, IdempotencyRow.key == key)
        row = self._connection.execute(query).mappings().one_or_none()
        return None if row is None else IdempotencyRecord(**row)

    def put(
        self, owner: str, key: str, *, request_sha256: str, status: int, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> None:
        """Keep an answer.

        Raises:
            IdempotencyConflict: another request with this key was answered first; this transaction must not commit.
        """
        row = {
            "owner": owner,
            "key": key,
            "request_sha256": request_sha256,
            "status": status,
            "body": dict(body),
            "headers": dict(headers),
            "created_at": self._now,
        }
        if not self._insert_if_absent(IdempotencyRow, row, key=("owner", "key")):
            raise IdempotencyConflict(f"idempotency key {key!r} was used by another request at the same time; try again")

    def collect(self, *, older_than_seconds: float) -> int:
        """Forget answers older than this, at most COLLECTED_KEYS of them; how many there were."""
        query = select(IdempotencyRow.owner, IdempotencyRow.key).where(IdempotencyRow.created_at < db_now(-older_than_seconds))
        query = query.limit(COLLECTED_KEYS).with_for_update(skip_locked=True)
        keys = [tuple(row) for row in self._connection.execute(query)]
        if keys:
            self._connection.execute(delete(IdempotencyRow).where(tuple_(IdempotencyRow.owner, IdempotencyRow.key).in_(keys)))
        return len(keys)
