"""Routes of checkpoints."""

from __future__ import annotations

import logging
from base64 import b64encode
from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from fastapi.responses import StreamingResponse

from api.checkpoints.ranges import requested_range
from api.checkpoints.schemas import Checkpoint, checkpoint_body
from api.entity_tags import matches, quoted
from api.schemas import After, Limit, ListOf, list_of
from api.security import AuthenticatedRoute, Reader
from api.services import Services, ServicesDep
from ewc_core.errors import BlobCorrupt, BlobIncomplete, CheckpointDamaged, NotFound, StoreDamaged
from store.blobs import iter_range, require_whole
from store.records import CheckpointRecord

_log = logging.getLogger("api")
SAFETENSORS = "application/vnd.safetensors"
router = APIRouter(prefix="/v1", tags=["checkpoints"], route_class=AuthenticatedRoute)
_BINARY: dict[str, Any] = {"content": {SAFETENSORS: {"schema": {"type": "string", "format": "binary"}}}}
_CONTENT_DOC: dict[int | str, dict[str, Any]] = {
    200: {"description": "The whole file.", **_BINARY},
    206: {"description": "The bytes that Range asks for.", **_BINARY},
    304: {"description": "If-None-Match names this content."},
}
IfNoneMatch = Annotated[str | None, Header(description="the ETag of a copy that you have")]


@router.get("/jobs/{job_id}/checkpoints", operation_id="list_checkpoints")
def list_checkpoints(
    job_id: str, caller: Reader, services: ServicesDep, limit: Limit = 20, after: After = None
) -> ListOf[Checkpoint]:
    """The checkpoints of the job, in the order of its visits."""
    with services.database.read() as work:
        work.jobs.require(job_id, owner=caller.owner)
        page = work.checkpoints.page(job_id, limit=limit, after=after)
        return list_of([checkpoint_body(record) for record in page.items], has_more=page.has_more)


@router.get("/checkpoints/{checkpoint_id}", operation_id="get_checkpoint")
def get(checkpoint_id: str, caller: Reader, services: ServicesDep) -> Checkpoint:
    """One checkpoint. `tensors` says which bytes of the content hold which tensor."""
    with services.database.read() as work:
        return checkpoint_body(work.checkpoints.get(checkpoint_id, owner=caller.owner))


@router.get(
    "/checkpoints/{checkpoint_id}/content",
    operation_id="download_checkpoint",
    response_class=StreamingResponse,
    responses=_CONTENT_DOC,
)
def content(
    checkpoint_id: str,
    caller: Reader,
    services: ServicesDep,
    range_header: Annotated[
        str | None, Header(alias="Range", description="one range of bytes, for example that of one tensor")
    ] = None,
    if_range: Annotated[str | None, Header(description="an ETag: Range counts only while the content still has it")] = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """The safetensors file, or one range of it. The service holds at most two chunks of 4 MiB of it in memory.

    What is asked for is read and checked before the first byte is sent."""
    record = _checkpoint(services, checkpoint_id, caller)
    headers = _headers(record)
    if if_none_match is not None and matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers={name: headers[name] for name in ("ETag", "Cache-Control")})
    # RFC 9110, 13.1.5: a tag that does not match turns the request into one for the whole content.
    counts = if_range is None or if_range.strip() == headers["ETag"]
    wanted = requested_range(range_header, record.size) if counts else None
    if wanted is None:
        start, stop, status = 0, record.size, 200
    else:
        start, stop, status = wanted.start, wanted.stop, 206
        headers["Content-Range"] = wanted.content_range
    headers["Content-Length"] = str(stop - start)
    _require_undamaged(services, record, start, stop)
    chunks = iter_range(services.database, record.blob_id, start, stop)
    return StreamingResponse(chunks, status_code=status, headers=headers, media_type=SAFETENSORS)


def _checkpoint(services: Services, checkpoint_id: str, caller: Reader) -> CheckpointRecord:
    with services.database.read() as work:
        return work.checkpoints.get(checkpoint_id, owner=caller.owner)


def _require_undamaged(services: Services, record: CheckpointRecord, start: int, stop: int) -> None:
    """Before the first byte is sent: an answer that has begun with 200 could only be cut."""
    try:
        require_whole(services.database, record.blob_id, start, stop)
    except (BlobCorrupt, BlobIncomplete, NotFound, StoreDamaged, ValueError) as error:
        _log.error("checkpoint %s is damaged: %s", record.id, error)
        raise CheckpointDamaged(record.id) from error


def _headers(record: CheckpointRecord) -> dict[str, str]:
    digest = b64encode(bytes.fromhex(record.sha256)).decode()
    return {
        "Accept-Ranges": "bytes",
        "ETag": quoted(record.sha256),
        "Repr-Digest": f"sha-256=:{digest}:",
        "Content-Disposition": f'attachment; filename="{record.id}.safetensors"',
        "Cache-Control": "private, max-age=31536000, immutable",
    }
