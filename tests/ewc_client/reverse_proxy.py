"""A small reverse proxy on a real socket, which shows a service below a path."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

_HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive", "date", "server"}


@contextmanager
def reverse_proxy(target: str, *, below: str, strips: bool) -> Iterator[str]:
    """The URL of the service at `target` below the path `below`; with `strips`, the service does not see that path."""

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            if not self.path.startswith(f"{below}/"):
                self.send_error(404, "outside of the service's path")
                return
            path = self.path.removeprefix(below) if strips else self.path
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with httpx.stream(self.command, target + path, headers=dict(self.headers), content=body, timeout=20) as answer:
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name not in _HOP_BY_HOP:
                        self.send_header(name, value)
                self.end_headers()
                for chunk in answer.iter_raw():
                    self.wfile.write(chunk)

        do_GET = do_POST = do_DELETE = do_HEAD = _pass_on  # noqa: N815 the names are the standard library's

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name is the standard library's
            """A proxy's log interests nobody here."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}{below}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
