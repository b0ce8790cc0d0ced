"""Checkpoints: safetensors files, downloaded whole or one tensor at a time."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ewc_client.errors import ApiError, IntegrityError, NotFoundError
from ewc_client.models import Body, TensorEntry
from ewc_client.transport import RETRY_STATUSES, Transport


@dataclass(frozen=True)
class Checkpoint:
    """What is stored for a consolidated task: anchor and Fisher as one safetensors file of `size` bytes."""

    id: str
    job_id: str
    visit_index: int
    task_index: int
    method: str
    size: int
    sha256: str
    weights_sha256: str
    created_at: str
    raw: Body = field(repr=False)
    _transport: Transport = field(repr=False, compare=False)

    @classmethod
    def from_body(cls, body: Body, transport: Transport) -> Checkpoint:
        """From an item of a checkpoints list, or from the checkpoint itself."""
        return cls(
            id=str(body["id"]),
            job_id=str(body["job_id"]),
            visit_index=int(body["visit_index"]),
            task_index=int(body["task_index"]),
            method=str(body["method"]),
            size=int(body["size"]),
            sha256=str(body["sha256"]),
            weights_sha256=str(body["weights_sha256"]),
            created_at=str(body["created_at"]),
            raw=body,
            _transport=transport,
        )

    @property
    def tensors(self) -> tuple[TensorEntry, ...]:
        """Where each tensor lies in the file. Lists may leave this out; then it is fetched."""
        body = self.raw
        if "tensors" not in body:
            body = self._transport.request("GET", f"/v1/checkpoints/{self.id}").json()
        return tuple(TensorEntry.from_body(item) for item in body["tensors"])

    def download(self, path: str | os.PathLike[str]) -> Path:
        """Write the file to `path` and return it.

        The bytes go to `path` + `.part` first; a download that was cut, in this process or an earlier one, goes on
        where it stopped. The file appears under its name only when its SHA-256 is the one that the service recorded.

        Raises:
            IntegrityError: the bytes differ; they are thrown away.
            ServiceUnreachableError: the connection broke more often in a row than the client retries.
        """
        target = Path(path)
        part = target.with_name(target.name + ".part")
        if part.exists() and part.stat().st_size > self.size:
            part.unlink()
        self._fetch_rest(part)
        digest = _sha256_of(part)
        if digest != self.sha256:
            part.unlink()
            raise IntegrityError(f"checkpoint {self.id}: SHA-256 of the download is {digest}, expected {self.sha256}")
        part.replace(target)
        return target

    def read_tensor_bytes(self, name: str) -> bytes:
        """The raw little-endian bytes of one tensor, without the rest of the file.

        Raises:
            NotFoundError: the checkpoint has no tensor of this name.
            IntegrityError: the service sent another number of bytes than it announced.
        """
        entries = {entry.name: entry for entry in self.tensors}
        if name not in entries:
            known = ", ".join(entries)
            raise NotFoundError(
                404, {"code": "not_found", "detail": f"checkpoint {self.id} has no tensor {name!r}; it has {known}"}
            )
        entry = entries[name]
        if entry.begin == entry.end:
            return b""
        headers = {"Range": f"bytes={entry.begin}-{entry.end - 1}", "Accept": "*/*"}
        response = self._transport.request("GET", self._content_path, headers=headers)
        expected = entry.end - entry.begin
        if response.status_code != httpx.codes.PARTIAL_CONTENT or len(response.content) != expected:
            raise IntegrityError(
                f"checkpoint {self.id}: asked for the {expected} bytes of {name!r}, "
                f"got {len(response.content)} (HTTP {response.status_code})"
            )
        return response.content

    @property
    def _content_path(self) -> str:
        return f"/v1/checkpoints/{self.id}/content"

    def _fetch_rest(self, part: Path) -> None:
        attempt = 0
        while (have := part.stat().st_size if part.exists() else 0) < self.size:
            try:
                self._append_from(part, have)
            except httpx.TransportError as error:
                if part.stat().st_size > have:
                    attempt = 0
                if attempt >= self._transport.retries.num_retries:
                    raise self._transport.unreachable(error) from error
                self._transport.sleep(self._transport.retries.wait_seconds(attempt))
                attempt += 1
            except ApiError as error:
                if error.status not in RETRY_STATUSES or attempt >= self._transport.retries.num_retries:
                    raise
                self._transport.sleep(self._transport.retries.wait_seconds(attempt))
                attempt += 1

    def _append_from(self, part: Path, have: int) -> None:
        with part.open("ab") as file:
            headers = {"Range": f"bytes={have}-", "If-Range": f'"{self.sha256}"', "Accept": "*/*"}
            with self._transport.stream(self._content_path, headers=headers) as response:
                if response.status_code != httpx.codes.PARTIAL_CONTENT:
                    file.truncate(0)  # the whole file is coming, because the service did not take the range
                for chunk in response.iter_bytes():
                    file.write(chunk)
        if part.stat().st_size <= have:
            raise httpx.RemoteProtocolError("the service ended the download before its last byte")


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
