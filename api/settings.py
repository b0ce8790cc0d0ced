"""Settings of the HTTP service: those of the store, and where to listen."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field, field_validator

from store.settings import StoreSettings

_ROOT_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")
_OWN_PATHS = {"v1", "problems", "docs", "redoc", "openapi.json", "healthz", "readyz", "version", "metrics"}


class ApiSettings(StoreSettings):
    """Read from the environment, prefix EWC_.

    With `bootstrap_key_file` the service writes an API key with every scope there at start, when there is no key yet
    or the file is missing. `api_root_path` is the path under which a proxy shows the service, such as `/tools/ewc`.
    """

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65535)
    api_root_path: str = ""
    bootstrap_key_file: Path | None = None
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)

    @field_validator("api_root_path")
    @classmethod
    def _a_path_that_is_not_ours(cls, value: str) -> str:
        if value and not _ROOT_PATH.fullmatch(value):
            raise ValueError("expected a path such as /tools/ewc: letters, digits and -._~ between slashes, none at the end")
        segments = value.split("/")[1:]
        if segments and (segments[0] in _OWN_PATHS or segments[-1] == "v1"):
            # A proxy may strip it or not, and clients take /v1 at the end of a URL away: both must stay possible to tell.
            raise ValueError(f"the service has such a path itself; choose one that begins and ends otherwise than {value!r}")
        return value
