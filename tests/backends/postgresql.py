"""A PostgreSQL server for one test session: from the machine's binaries, else from the wheel `pgserver`."""

from __future__ import annotations

import importlib.util
import itertools
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from tests.backends.server_process import (
    ServerProcess,
    ServerUnavailable,
    free_port,
    make_folder,
    primary_group,
    unprivileged_user,
)

_SUPERUSER = "ewc"
_START_SECONDS = 30.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "shared_buffers": "32MB",
}


class PostgreSQLServer:
    """Gives out databases. Nothing of it survives `stop`."""

    def __init__(self, binaries: Path) -> None:
        """Start the server that these binaries make.

        Raises:
            ServerUnavailable: it does not start.
        """
        user = unprivileged_user()
        self.binaries = binaries
        self._folder = make_folder("ewc-postgresql-", user)
        self._port = free_port()
        self._numbers = itertools.count()
        try:
            _make_cluster(binaries, self._folder / "data", user)
            options = itertools.chain.from_iterable(("-c", f"{name}={value}") for name, value in self._settings().items())
            command = [str(binaries / "postgres"), "-D", str(self._folder / "data"), *options]
            self._process = ServerProcess(command, folder=self._folder, user=user, stop_signal=signal.SIGINT)
        except BaseException:
            shutil.rmtree(self._folder)
            raise
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def create_database(self, *, template: str = "template0") -> str:
        """A new database, empty or a copy of another one; returns its name."""
        name = f"ewc_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        with self._connect() as connection:
            if connection.info.server_version >= 150000:
                # What older servers always do; for a small template it takes less than half of the new way's time.
                statement += sql.SQL(" STRATEGY FILE_COPY")
            connection.execute(statement)
        return name

    def empty_database(self, name: str, *, tables: Sequence[str]) -> None:
        """Delete all rows of these tables, of which later ones refer to earlier ones; whoever is connected is cut off."""
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        with self._connect(name) as connection:
            connection.execute(others, [name])
            for table in reversed(tables):
                connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        with self._connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, name: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://{_SUPERUSER}@127.0.0.1:{self._port}/{name}"

    def stop(self) -> None:
        """Stop the server and delete its data."""
        self._process.stop()
        shutil.rmtree(self._folder)

    def _settings(self) -> dict[str, str]:
        return {**_SETTINGS, "port": str(self._port), "unix_socket_directories": str(self._folder)}

    def _connect(self, name: str = "postgres") -> psycopg.Connection:
        return psycopg.connect(host="127.0.0.1", port=self._port, user=_SUPERUSER, dbname=name, autocommit=True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            self._process.require_running()
            try:
                self._connect().close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise ServerUnavailable(f"PostgreSQL did not answer within {_START_SECONDS:.0f} s: {error}") from error
                time.sleep(0.02)
            else:
                return


def start_postgresql(candidates: Sequence[Path] | None = None) -> PostgreSQLServer:
    """The server of the first folder of binaries that makes one.

    Raises:
        ServerUnavailable: none does; the message has every reason.
    """
    reasons = []
    for binaries in candidates if candidates is not None else list(_binaries()):
        try:
            return PostgreSQLServer(binaries)
        except ServerUnavailable as reason:
            reasons.append(f"{binaries}: {reason}")
    raise ServerUnavailable("no PostgreSQL: " + ("; ".join(reasons) or "no binaries on this machine and no wheel 'pgserver'"))


def wheel_binaries() -> Path | None:
    """The folder of binaries in the wheel `pgserver`, if it is installed. The wheel is not imported: that has effects."""
    found = importlib.util.find_spec("pgserver")
    if found is None or found.origin is None:
        return None
    return Path(found.origin).parent / "pginstall" / "bin"


def _binaries() -> Iterator[Path]:
    seen = set()
    for folder in (*_machine_binaries(), wheel_binaries()):
        if folder is None or folder in seen:
            continue
        seen.add(folder)
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            yield folder


def _machine_binaries() -> Iterator[Path]:
    on_path = shutil.which("postgres")
    if on_path is not None:
        yield Path(on_path).resolve().parent
    pg_config = shutil.which("pg_config")
    if pg_config is not None:
        answer = subprocess.run([pg_config, "--bindir"], check=True, capture_output=True, text=True)
        yield Path(answer.stdout.strip())
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _make_cluster(binaries: Path, data: Path, user: str | None) -> None:
    options = [f"--username={_SUPERUSER}", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C"]
    try:
        subprocess.run(
            [str(binaries / "initdb"), "-D", str(data), *options],
            cwd=data.parent,
            user=user,
            group=primary_group(user),
            extra_groups=None if user is None else [],
            check=True,
            capture_output=True,
            text=True,
        )
    except subprocess.CalledProcessError as error:
        raise ServerUnavailable(f"initdb failed: {error.stderr.strip()[-500:]}") from error
    except OSError as error:
        raise ServerUnavailable(f"{binaries / 'initdb'} cannot be run as {user or 'this user'}: {error}") from error
