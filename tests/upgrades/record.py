"""A record as an earlier version left it, put into a database of its schema.

`started_by_0_2_0.json.gz` was made by version 0.2.0 (revision 0004): jobs stopped on their way, with all rows of the
database (a selection of metrics) and the replay files beside it, and what the same code `came_to` when it went on with them,
on several machines. Bits belong to a version of torch on a kind of processor; that of the first machine is not known.
"""

from __future__ import annotations

import base64
import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from sqlalchemy import Connection, MetaData, text

from ewc_core.specs import SupervisedSpec
from migrations import run
from store.engine import make_engine
from worker.fingerprint import fingerprint

_ANY_JOB = {"method": {"kind": "naive"}, "tasks": [{"dataset": "digits"}]}
_FILE = Path(__file__).with_name("started_by_0_2_0.json.gz")


def recorded() -> dict[str, Any]:
    """The record: `revision`, `rows` by table, `files` by path, `jobs` by name, and `came_to`."""
    content: dict[str, Any] = json.loads(gzip.decompress(_FILE.read_bytes()))
    return content


def came_to(content: dict[str, Any]) -> dict[str, Any] | None:
    """What version 0.2.0 came to on such a machine, by job; None where that was not recorded. The libraries of torch choose
    their code by the model of the processor, and not by its instructions alone."""
    cpu = fingerprint(SupervisedSpec.model_validate(_ANY_JOB))["cpu"]
    here = {"torch": torch.__version__, "cpu_capability": torch.backends.cpu.get_cpu_capability(), "cpu": cpu}
    found: list[dict[str, Any]] = [one["jobs"] for one in content["came_to"] if one["made_with"] == here]
    return found[0] if found else None


def put_back(content: dict[str, Any], url: str, state_dir: Path) -> None:
    """The record in an empty database at `url`, its files below `state_dir`."""
    run.upgrade(url, content["revision"])
    engine = make_engine(url)
    with engine.begin() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            if rows := content["rows"].get(table.name):
                connection.execute(table.insert(), [_read(row, connection) for row in rows])
        if connection.dialect.name == "postgresql":
            last = "SELECT setval(pg_get_serial_sequence('job_transitions', 'id'), max(id)) FROM job_transitions"
            connection.execute(text(last))
    engine.dispose()
    for name, packed in content["files"].items():
        file = state_dir / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.decompress(base64.b64decode(packed)))


def _read(row: dict[str, Any], connection: Connection) -> dict[str, Any]:
    return {name: _value(value, connection.dialect.name) for name, value in row.items()}


def _value(value: Any, dialect: str) -> Any:
    match value:
        case {"bytes": str(encoded)} if len(value) == 1:
            return base64.b64decode(encoded)
        case {"time": str(moment)} if len(value) == 1:
            time = datetime.fromisoformat(moment).astimezone(UTC)
            return time.replace(tzinfo=None) if dialect == "sqlite" else time
        case _:
            return value
