"""The schema's history on both engines."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

import migrations
from ewc_core.errors import StoreUnavailable
from ewc_core.specs import SupervisedSpec
from migrations import run
from migrations.__main__ import main
from store.blobs import stage_blob
from store.engine import make_engine
from store.tables import Base
from store.unit_of_work import Database
from tests.backends.server_process import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
JOB = {"method": {"kind": "ewc", "ewc_lambda": 1.0}, "tasks": [{"dataset": "digits"}]}


def tables_of(url: str) -> set[str]:
    """Names of the tables in a database, without alembic's own."""
    engine = make_engine(url)
    with engine.connect() as connection:
        names = set(inspect(connection).get_table_names()) - {"alembic_version"}
    engine.dispose()
    return names


def shape_of(connection: Connection) -> dict[str, Any]:
    """Everything that the database says of its tables."""
    inspector = inspect(connection)
    kinds = {
        "columns": lambda table: [
            (column["name"], repr(column["type"]), column["nullable"]) for column in inspector.get_columns(table)
        ],
        "primary key": inspector.get_pk_constraint,
        "unique": lambda table: sorted(inspector.get_unique_constraints(table), key=repr),
        "check": lambda table: sorted(inspector.get_check_constraints(table), key=repr),
        "foreign keys": lambda table: sorted(inspector.get_foreign_keys(table), key=repr),
        "indexes": lambda table: sorted(inspector.get_indexes(table), key=repr),
    }
    names = sorted(set(inspector.get_table_names()) - {"alembic_version"})
    return {f"{table} {kind}": look(table) for table in names for kind, look in kinds.items()}


def test_there_is_one_head_and_the_package_names_it():
    assert ScriptDirectory.from_config(run.alembic_config()).get_heads() == [migrations.HEAD]


def test_up_down_and_up_again(bare_database_url):
    expected = {table.name for table in Base.metadata.sorted_tables}
    assert run.current(bare_database_url) is None
    assert run.upgrade(bare_database_url) == migrations.HEAD
    assert tables_of(bare_database_url) == expected
    assert run.downgrade(bare_database_url) is None
    assert tables_of(bare_database_url) == set()
    assert run.upgrade(bare_database_url) == migrations.HEAD
    assert tables_of(bare_database_url) == expected
    assert run.current(bare_database_url) == migrations.HEAD


def test_going_back_behind_snapshots_leaves_none_of_their_bytes(bare_database_url):
    run.upgrade(bare_database_url)
    database = Database(bare_database_url)
    blobs = [stage_blob(database, b"bytes", fence=None, media_type="test", shared_by=owner) for owner in ("alice", None)]
    run.downgrade(bare_database_url, "0005")
    with database.read() as work:
        assert work.connection.execute(text("SELECT id FROM blobs")).scalars().all() == blobs[1:]
    database.close()


def test_upgrading_again_changes_nothing(database_url):
    assert run.upgrade(database_url) == migrations.HEAD


def test_the_tables_classes_and_the_migrations_agree_by_alembics_own_comparison(database):
    with database.read() as work:
        context = MigrationContext.configure(work.connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_tables_classes_and_the_migrations_make_the_same_database(bare_database_url):
    """Alembic compares neither CHECKs nor names of keys: so make the tables in both ways and look."""
    run.upgrade(bare_database_url)
    engine = make_engine(bare_database_url)
    with engine.connect() as connection:
        migrated = shape_of(connection)
    run.downgrade(bare_database_url)
    with engine.begin() as connection:
        Base.metadata.create_all(connection)
        created = shape_of(connection)
    engine.dispose()
    assert migrated == created
    assert len(migrated) == 6 * len(Base.metadata.sorted_tables)


def test_chunks_are_stored_outside_and_uncompressed_on_postgresql(postgresql_url):
    database = Database(postgresql_url)
    query = "SELECT attstorage FROM pg_attribute WHERE attrelid = 'blob_chunks'::regclass AND attname = 'data'"
    with database.read() as work:
        assert work.connection.execute(text(query)).scalar_one() in ("e", b"e")
    database.close()


def test_four_processes_may_upgrade_at_once(bare_database_url):
    environment = {**os.environ, "EWC_DATABASE_URL": bare_database_url}
    command = [sys.executable, "-W", "error", "-m", "migrations", "upgrade"]
    processes = [
        subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0, 0], answers
    assert all(f"is at revision {migrations.HEAD}\n" in output for output, _ in answers)
    assert tables_of(bare_database_url) == {table.name for table in Base.metadata.sorted_tables}


def test_on_sqlite_a_file_lock_is_held_while_migrating(monkeypatch, tmp_path):
    held = []

    def look_instead(*_: object) -> None:
        with (tmp_path / "ewc.db.migrating").open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(True)

    monkeypatch.setattr(run.command, "upgrade", look_instead)
    run.upgrade(f"sqlite:///{tmp_path / 'ewc.db'}")
    assert held == [True]


def test_the_commands_say_where_the_database_is(capsys, monkeypatch, tmp_path):
    monkeypatch.delenv("EWC_DATABASE_URL", raising=False)
    monkeypatch.setenv("EWC_STATE_DIR", str(tmp_path / "new" / "state"))
    for command, revision in (
        ("current", "none"),
        ("upgrade", migrations.HEAD),
        ("current", migrations.HEAD),
        ("downgrade", "none"),
    ):
        assert main([command]) == 0
        assert capsys.readouterr().out == f"sqlite:///{tmp_path}/new/state/ewc.db is at revision {revision}\n"


def test_a_database_that_is_not_there_is_a_plain_message(capsys, monkeypatch):
    url = f"postgresql+psycopg://user:hunter2@127.0.0.1:{free_port()}/none"
    monkeypatch.setenv("EWC_DATABASE_URL", url)
    assert main(["upgrade"]) == 1
    answer = capsys.readouterr()
    assert "cannot be used" in answer.err
    assert "hunter2" not in answer.err + answer.out
    with pytest.raises(StoreUnavailable):
        run.current(url)


def test_jobs_of_before_claims_ask_for_nothing_and_stored_analyses_are_short_work(bare_database_url):
    run.upgrade(bare_database_url, "0004")
    database = Database(bare_database_url)
    values = {
        "owner": "'alice'", "status": "'queued'", "desired_state": "'run'", "stream": "'closed'", "attempt": "0",
        "attempts_since_progress": "0", "last_event_seq": "1", "last_switch_sequence": "0", "version": "1", "num_wake_ups": "0",
        "created_at": "'2026-11-28 12:00:00.000000'", "updated_at": "'2026-11-28 12:00:00.000000'",
    }  # fmt: skip
    specs = {"asks": '{"kind": "analysis"}', "learns": '{"kind": "supervised"}', "oldest": "{}"}
    if bare_database_url.startswith("sqlite"):
        specs["damaged"] = '{"kind": "analy'
    insert = text(f"INSERT INTO jobs (id, spec, {', '.join(values)}) VALUES (:id, :spec, {', '.join(values.values())})")
    with database.write() as work:
        for job_id, spec in specs.items():
            work.connection.execute(insert, {"id": job_id, "spec": spec})
    run.upgrade(bare_database_url)
    with database.read() as work:
        rows = work.connection.execute(text("SELECT id, slot, priority, device, memory_bytes, labels FROM jobs")).all()
    assert {row.id: row.slot for row in rows} == {job_id: "short" if job_id == "asks" else "training" for job_id in specs}
    assert {(row.priority, row.device, row.memory_bytes) for row in rows} == {(0, "cpu", None)}
    assert all(row.labels in ([], "[]") for row in rows)
    run.downgrade(bare_database_url, "0004")
    with database.read() as work:
        assert work.connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == len(specs)
    run.upgrade(bare_database_url)
    database.close()


def test_scores_of_before_intervals_were_kept_have_none(bare_database_url):
    run.upgrade(bare_database_url)
    database = Database(bare_database_url)
    with database.write() as work:
        job_id = work.jobs.create(SupervisedSpec.model_validate(JOB), owner="team").id
        work.evaluations.put_row(
            job_id,
            method="ewc",
            after_visit=0,
            scores={0: 0.75},
            num_examples={0: 360},
            intervals={0: (0.7, 0.8)},
            chances={0: 0.1},
        )
    database.close()
    run.downgrade(bare_database_url, "0004")
    run.upgrade(bare_database_url)
    database = Database(bare_database_url)
    with database.read() as work:
        (entry,) = work.evaluations.of_job(job_id)
    database.close()
    assert (entry.score, entry.num_examples, entry.interval, entry.chance) == (0.75, 360, None, None)
