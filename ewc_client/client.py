"""The client: one object per service and key."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from ewc_client.checkpoints import Checkpoint
from ewc_client.jobs import Jobs
from ewc_client.models import ApiKey, Body, Worker
from ewc_client.paging import fetch_all
from ewc_client.service_location import ServiceLocation, require_service
from ewc_client.sweeps import Sweeps
from ewc_client.transport import RetryPolicy, Transport, path_part


class EWCClient:
    """Talks to one service. Safe to use from several threads; close it, or use it in a `with` block.

    Without arguments it asks the service of EWC_URL and EWC_API_KEY, else the one that `ewc up` runs on the state
    directory (EWC_STATE_DIR, default `.ewc`).

    Raises:
        ConfigurationError: no service is configured or running.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout_seconds: float = 30.0,
        retries: RetryPolicy | None = None,
    ) -> None:
        location = require_service(url, api_key)
        self._transport = Transport(location.url, location.api_key, timeout_seconds=timeout_seconds, retries=retries)
        self.jobs = Jobs(self._transport)
        self.sweeps = Sweeps(self._transport)

    @classmethod
    def at(cls, location: ServiceLocation, *, retries: RetryPolicy | None = None) -> EWCClient:
        """A client for a service that has been found already."""
        return cls(location.url, location.api_key, retries=retries)

    @property
    def url(self) -> str:
        """The service's URL, without `/v1`."""
        return self._transport.url

    def close(self) -> None:
        """Close every connection."""
        self._transport.close()

    def __enter__(self) -> EWCClient:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def checkpoint(self, checkpoint_id: str) -> Checkpoint:
        """One checkpoint."""
        return Checkpoint.from_body(self._get(f"/v1/checkpoints/{path_part(checkpoint_id)}"), self._transport)

    def download(self, checkpoint_id: str, path: str | os.PathLike[str]) -> Checkpoint:
        """Download a checkpoint to `path`; see `Checkpoint.download`."""
        checkpoint = self.checkpoint(checkpoint_id)
        checkpoint.download(path)
        return checkpoint

    def catalogue(self) -> Body:
        """What the service offers: data sets, methods, networks, job states."""
        return self._get("/v1/catalogue")

    def workers(self) -> list[Worker]:
        """The live workers."""
        return list(fetch_all(self._transport, "/v1/workers", {}, Worker.from_body))

    def version(self) -> Body:
        """Versions of the service and of its schema."""
        return self._get("/version")

    def create_api_key(self, name: str, *, scopes: Sequence[str] | None = None, owner: str | None = None) -> ApiKey:
        """Make an API key, of your own owner unless your key has the scope `operator`. Its secret, `key`, is in this
        answer only."""
        body: dict[str, Any] = {"name": name} | ({} if owner is None else {"owner": owner})
        if scopes is not None:
            body["scopes"] = list(scopes)
        return ApiKey.from_body(self._transport.request("POST", "/v1/api-keys", json=body).json())

    def api_keys(self, *, owner: str | None = None) -> list[ApiKey]:
        """API keys, without secrets: your owner's; with the scope `operator` those of all owners, or of one."""
        return list(fetch_all(self._transport, "/v1/api-keys", {"owner": owner}, ApiKey.from_body))

    def revoke_api_key(self, key_id: str) -> None:
        """Revoke an API key; from then on the service refuses it."""
        self._transport.request("DELETE", f"/v1/api-keys/{path_part(key_id)}")

    def _get(self, path: str) -> Body:
        body: Body = self._transport.request("GET", path).json()
        return body
