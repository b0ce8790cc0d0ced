"""Routes of the score matrix."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from api.content_negotiation import preferred
from api.evaluations.schemas import Matrix
from api.evaluations.service import matrix_body, matrix_csv
from api.security import AuthenticatedRoute, Reader
from api.services import ServicesDep

CSV = "text/csv"
router = APIRouter(prefix="/v1/jobs/{job_id}/evaluations", tags=["evaluations"], route_class=AuthenticatedRoute)
_MATRIX_DOC = {"description": "The matrix.", "content": {CSV: {"schema": {"type": "string"}}}}


class MatrixFormat(StrEnum):
    """How the matrix is written."""

    JSON = "json"
    CSV = "csv"


@router.get("/matrix", operation_id="get_matrix", response_model=Matrix, responses={200: _MATRIX_DOC})
def matrix(
    job_id: str,
    caller: Reader,
    services: ServicesDep,
    request: Request,
    response: Response,
    format: Annotated[  # noqa: A002 the name of the query parameter
        MatrixFormat | None, Query(description="without it, what Accept prefers: JSON unless it asks for text/csv")
    ] = None,
) -> Matrix | Response:
    r"""The score on every task seen, after every visit, for the method beside its controls; and what follows from it.

    As CSV: a line for each method and row, ended by \n, with the columns `method`, `role`, `after_visit`, `visited_task` and one
    for each task.
    """
    with services.database.read() as work:
        body = matrix_body(work, work.jobs.get(job_id, owner=caller.owner))
    if format is None and preferred(request.headers.get("accept"), ["application/json", CSV]) == CSV:
        format = MatrixFormat.CSV  # noqa: A001 the name of the query parameter
    if format is MatrixFormat.CSV:
        name = f'attachment; filename="{job_id}-matrix.csv"'
        return Response(matrix_csv(body), media_type=CSV, headers={"Content-Disposition": name, "Vary": "Accept"})
    response.headers["Vary"] = "Accept"
    return body
