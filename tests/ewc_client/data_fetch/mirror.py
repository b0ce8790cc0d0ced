"""A mirror on this machine: an HTTP server of files, with or without ranges, that can cut its answers short."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Mirror:
    """What the server holds, how it behaves, and what it was asked: (path, Range header) in order."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.has_ranges = True
        self.cuts: list[int] = []
        self.asked: list[tuple[str, str | None]] = []
        self.url = ""


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Mirror]:
    """Serve `files` by name under `mirror.url`; each of `mirror.cuts` ends one answer after that many bytes."""
    mirror = Mirror(files)

    class _Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            mirror.asked.append((self.path, wanted))
            body = mirror.files.get(self.path.rpartition("/")[2])
            begin = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and mirror.has_ranges else 0
            if body is None or begin >= max(len(body), 1):
                self.send_response(404 if body is None else 416)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if wanted and mirror.has_ranges else 200)
            if wanted and mirror.has_ranges:
                self.send_header("Content-Range", f"bytes {begin}-{len(body) - 1}/{len(body)}")
            self.send_header("Content-Length", str(len(body) - begin))
            self.end_headers()
            if mirror.cuts:
                self.wfile.write(body[begin : begin + mirror.cuts.pop(0)])
                self.close_connection = True
            else:
                self.wfile.write(body[begin:])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it so
            """Tests read `asked` instead."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    mirror.url = f"http://127.0.0.1:{server.server_port}/somewhere/"
    try:
        yield mirror
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
