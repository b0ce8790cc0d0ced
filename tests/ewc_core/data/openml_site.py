"""A small openml.org: what it answers for one data set, as a server on localhost or as files in scikit-learn's cache."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

# (name, ARFF type, OpenML's type, is the target)
Column = tuple[str, str, str, bool]
COLUMNS: tuple[Column, ...] = (
    ("width", "NUMERIC", "numeric", False),
    ("colour", "{red, green, blue}", "nominal", False),
    ("class", "{10, 9, 2}", "nominal", True),
)
ROWS = (
    "5,red,10",
    "15,green,9",
    "10,blue,2",
    "5,red,10",
    "7.5,green,9",
    "10,blue,2",
    "5,red,10",
    "15,green,9",
    "10,blue,2",
    "5,red,2",
)


def answers(
    name: str, columns: Sequence[Column] = COLUMNS, rows: Sequence[str] = ROWS, *, arff: str | None = None
) -> dict[str, bytes]:
    """Bodies by path for version 1 of a data set; `arff` replaces the file without changing its announced checksum."""
    header = [f"@RELATION {name}", *(f"@ATTRIBUTE {column} {kind}" for column, kind, _, _ in columns), "@DATA"]
    file = "\n".join([*header, *rows]) + "\n"
    description = {
        "id": "7",
        "name": name,
        "version": "1",
        "status": "active",
        "format": "ARFF",
        "description": "made up",
        "url": "https://www.openml.org/data/v1/download/70/it.arff",
        "md5_checksum": hashlib.md5(file.encode(), usedforsecurity=False).hexdigest(),
    }
    features = [
        {
            "index": str(index),
            "name": column,
            "data_type": kind,
            "is_target": str(is_target).lower(),
            "is_ignore": "false",
            "is_row_identifier": "false",
            "number_of_missing_values": "0",
        }
        for index, (column, _, kind, is_target) in enumerate(columns)
    ]
    api = "/api/v1/json/data"
    documents = {
        f"{api}/list/data_name/{name}/limit/2/data_version/1": {"data": {"dataset": [{"did": 7, "version": 1}]}},
        f"{api}/7": {"data_set_description": description},
        f"{api}/features/7": {"data_features": {"feature": features}},
        f"{api}/qualities/7": {"data_qualities": {"quality": [{"name": "NumberOfInstances", "value": str(len(rows))}]}},
    }
    bodies = {path: json.dumps(document).encode() for path, document in documents.items()}
    return {**bodies, "/data/v1/download/70/it.arff": (file if arff is None else arff).encode()}


def write_cache(data_dir: Path, bodies: Mapping[str, bytes]) -> None:
    """Put the answers where scikit-learn keeps what it has fetched."""
    for path, body in bodies.items():
        file = data_dir / "openml" / "openml.org" / f"{path.lstrip('/')}.gz"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(gzip.compress(body))


@contextmanager
def serve(bodies: Mapping[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """A server on localhost: its address, and the paths asked for so far. What it does not know is a 412, as on the site."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path in bodies else 412)
            self.end_headers()
            self.wfile.write(bodies.get(self.path, b"{}"))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its base class calls it so
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()
