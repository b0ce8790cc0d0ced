"""The unit of work: one short transaction, and the repositories that work inside it.

Order of locks. Every transaction that touches a job locks in this order, so that on PostgreSQL none can deadlock with
another:

0. the worker's row (`workers.beat`, `queue.choose`), if the transaction is a heartbeat or claims what is due; or the
   sweep's row (`sweeps.get(lock=True)`, every UPDATE of `sweeps`), if it is about a sweep;
1. the job's row (`jobs.get(lock=True)`, `jobs.summary(lock=True)`, `jobs.transition`, `events.append`, every UPDATE of `jobs`);
2. the job's lease row (`leases.claim`, `fenced`, `release`, `revoke`);
3. everything else of the job; the idempotency key last.

A transaction locks one job only, except `queue.reset_wake_ups`, `queue.mark_woken` and those that hold a sweep's row, which
lock jobs in the order of ids; a job's own transactions touch neither its sweep nor a worker. `queue.choose` waits for
no job's row. `leases.extend` takes the lease row alone. On SQLite a
write transaction holds the one write lock of the file from its first statement.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text

from ewc_core.errors import StoreDamaged
from store.driver_errors import driver_errors_translated
from store.engine import BEGIN_OPTION, READ_ONLY_OPTION, make_engine
from store.operations.announcing import Announcing
from store.operations.job_life import JobLife
from store.operations.leasing import Leasing
from store.records import Fence
from store.repositories.api_keys import ApiKeys
from store.repositories.attempts import Attempts
from store.repositories.blobs import Blobs
from store.repositories.checkpoints import Checkpoints
from store.repositories.constraints import Constraints
from store.repositories.evaluations import Evaluations
from store.repositories.events import Events
from store.repositories.idempotency import Idempotency
from store.repositories.metrics import Metrics
from store.repositories.queue import Queue
from store.repositories.results import Results
from store.repositories.resume_points import ResumePoints
from store.repositories.snapshots import Snapshots
from store.repositories.sweeps import Sweeps
from store.repositories.tasks import Tasks
from store.repositories.workers import Workers
from store.room import require_room, require_room_on_server
from store.sqlite_file import require_whole
from store.transaction import Transaction


class Work(Transaction):
    """One transaction. Its repositories return frozen records; none of them commits."""

    @cached_property
    def jobs(self) -> JobLife:
        return JobLife(self)

    @cached_property
    def queue(self) -> Queue:
        return Queue(self)

    @cached_property
    def attempts(self) -> Attempts:
        return Attempts(self)

    @cached_property
    def tasks(self) -> Tasks:
        return Tasks(self)

    @cached_property
    def switches(self) -> Announcing:
        return Announcing(self)

    @cached_property
    def constraints(self) -> Constraints:
        return Constraints(self)

    @cached_property
    def checkpoints(self) -> Checkpoints:
        return Checkpoints(self)

    @cached_property
    def resume_points(self) -> ResumePoints:
        return ResumePoints(self)

    @cached_property
    def snapshots(self) -> Snapshots:
        return Snapshots(self)

    @cached_property
    def results(self) -> Results:
        return Results(self)

    @cached_property
    def sweeps(self) -> Sweeps:
        return Sweeps(self)

    @cached_property
    def evaluations(self) -> Evaluations:
        return Evaluations(self)

    @cached_property
    def metrics(self) -> Metrics:
        return Metrics(self)

    @cached_property
    def events(self) -> Events:
        return Events(self)

    @cached_property
    def blobs(self) -> Blobs:
        return Blobs(self)

    @cached_property
    def leases(self) -> Leasing:
        return Leasing(self)

    @cached_property
    def api_keys(self) -> ApiKeys:
        return ApiKeys(self)

    @cached_property
    def idempotency(self) -> Idempotency:
        return Idempotency(self)

    @cached_property
    def workers(self) -> Workers:
        return Workers(self)


class Database:
    """The record, as one process sees it. Safe to share between threads, not across a fork."""

    def __init__(self, url: str) -> None:
        """Connections are opened on first use.

        Raises:
            StoreUnavailable: the URL is malformed or of an unknown kind.
        """
        self.engine = make_engine(url)
        self._damage_was_met = False

    @contextmanager
    def read(self) -> Iterator[Work]:
        """A connection that reads.

        Each statement sees what is committed when it starts, as in a transaction of PostgreSQL's usual isolation: none is
        begun there, which spares every request three messages of four. On SQLite it is a transaction, rolled back at the end.

        Raises:
            StoreUnavailable: the database cannot be reached, or lacks this version's tables.
            StoreDamaged, RowDamaged: what it reads is not what was written.
        """
        with self._errors_translated(), self.engine.connect() as connection:
            options: dict[str, Any] = {READ_ONLY_OPTION: True}
            if connection.dialect.name == "postgresql":
                options["isolation_level"] = "AUTOCOMMIT"
            yield Work(connection.execution_options(**options))

    @contextmanager
    def write(self) -> Iterator[Work]:
        """A transaction that commits on a clean exit and rolls back on an exception.

        Raises:
            StoreUnavailable: the database cannot be reached, stays locked, or lacks this version's tables.
        """
        with self._errors_translated(), self.engine.connect() as connection:
            connection = connection.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"})
            with connection.begin():
                yield Work(connection)

    @contextmanager
    def fenced(self, fence: Fence) -> Iterator[Work]:
        """A write transaction of a job's holder: nothing is written unless `fence` is the job's present lease.

        Raises:
            Fenced: the lease was taken over, taken away or released.
        """
        with self.write() as work:
            work.leases.guard(fence)
            yield work

    def ping(self) -> None:
        """Check that the database can be reached and, as far as can be seen cheaply, is whole.

        Raises:
            StoreUnavailable: it cannot be reached.
            StoreDamaged: an SQLite file is cut or overwritten.
        """
        with self._errors_translated(), self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        if self.engine.dialect.name == "sqlite":
            require_whole(Path(str(self.engine.url.database)), is_suspect=self._damage_was_met)
            self._damage_was_met = False

    def require_writable(self) -> None:
        """Check that the database takes what is written. Nothing of the check stays.

        Raises:
            NotWritable: its disk is full, or it is read-only.
            StoreUnavailable: it cannot be reached, or stays locked.
        """
        with self._errors_translated(), self.engine.connect() as connection:
            connection = connection.execution_options(**{BEGIN_OPTION: "BEGIN IMMEDIATE"})
            with connection.begin() as transaction:
                if connection.dialect.name == "postgresql":
                    require_room_on_server(connection)
                transaction.rollback()
        if self.engine.dialect.name == "sqlite":
            require_room(Path(str(self.engine.url.database)).absolute().parent)

    def schema_revision(self) -> str | None:
        """The migration that the database is at, or None before the first one."""
        with self._errors_translated(), self.engine.connect() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()

    def close(self) -> None:
        """Close the pool's connections."""
        self.engine.dispose()

    @contextmanager
    def _errors_translated(self) -> Iterator[None]:
        try:
            with driver_errors_translated():
                yield
        except StoreDamaged:
            self._damage_was_met = True
            raise
