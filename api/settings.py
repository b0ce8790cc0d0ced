"""Settings of the HTTP service: those of the store, and where to listen."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from store.settings import StoreSettings


class ApiSettings(StoreSettings):
    """Read from the environment, prefix EWC_.

    With `bootstrap_key_file` the service writes an API key with every scope there at start, when there is no key yet
    or the file is missing.
    """

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=0, le=65535)
    bootstrap_key_file: Path | None = None
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024)
