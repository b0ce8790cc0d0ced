"""The path under which a proxy shows the service (`EWC_API_ROOT_PATH`), and what it does to the paths of this request.

A proxy may strip it or leave it in place: both are understood. It comes from the settings alone, never from a header.
Links, Location and problem documents are absolute paths that begin with it, so that they hold for whoever sent the request.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

_root: ContextVar[str] = ContextVar("root_path", default="")
_WHOLE_URL = re.compile(rb"https?://[^/?#]+(?P<path>/.*)?", re.IGNORECASE)


def public_path(path: str) -> str:
    """The path as a client of the current request has to write it."""
    return _root.get() + path


def place_under(root: str, scope: MutableMapping[str, Any]) -> None:
    """Make the scope of a request, and everything that answers it, one under `root` (ASGI's `root_path`)."""
    _root.set(root)
    scope["root_path"] = root
    _take_origin_form(scope)
    path = scope["path"]
    if path != root and not path.startswith(f"{root}/"):
        scope["path"] = root + path
        scope["raw_path"] = root.encode() + scope.get("raw_path", b"")


def _take_origin_form(scope: MutableMapping[str, Any]) -> None:
    """A request to a proxy names the whole URL, and a server has to take it too (RFC 9112, 3.2.2)."""
    whole = _WHOLE_URL.fullmatch(scope.get("raw_path", b""))
    if whole is not None:
        scope["raw_path"] = whole["path"] or b"/"
        scope["path"] = unquote(scope["raw_path"].decode("ascii"))
