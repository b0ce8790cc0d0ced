"""Whether the service can do its work: database, schema, broker."""

from __future__ import annotations

import logging
from collections.abc import Callable

from api.services import Services
from ewc_core.errors import StoreDamaged, StoreUnavailable
from migrations import HEAD
from store.room import NotWritable
from store.unit_of_work import Database

_log = logging.getLogger("api")


class SchemaMismatch(StoreUnavailable):
    """The database is there, with another schema than this version needs."""


def require_schema(database: Database) -> None:
    """Check that the database is there and migrated to the revision that this version needs.

    Raises:
        StoreUnavailable: it cannot be reached.
        StoreDamaged: it is not whole.
        SchemaMismatch: it has another schema, or none.
    """
    database.ping()
    revision = database.schema_revision()
    if revision != HEAD:
        found = "no schema" if revision is None else f"schema revision {revision!r}"
        raise SchemaMismatch(f"the database has {found}, this version needs {HEAD!r}; run: python -m migrations upgrade")


def checks(services: Services) -> tuple[dict[str, str], int]:
    """The name of each check with "ok" or what is wrong, and the number of live workers as far as the database tells. Anybody
    may ask, so hosts and users stay in the log."""
    num_live_workers = 0

    def database() -> None:
        nonlocal num_live_workers
        require_schema(services.database)
        services.database.require_writable()
        with services.database.read() as work:
            num_live_workers = len(work.workers.alive())

    return {"database": _check(database), "broker": _check(services.wake_ups.ping)}, num_live_workers


def _check(check: Callable[[], None]) -> str:
    try:
        check()
    except SchemaMismatch as error:
        return str(error)
    except StoreDamaged as error:
        _log.error("not ready: %s", error)
        return "damaged: it has to be restored from a backup"
    except NotWritable as error:
        _log.warning("not ready: %s", error)
        return "cannot be written: the service's log says why"
    except StoreUnavailable as error:
        _log.warning("not ready: %s", error)
        return "not reachable"
    return "ok"
