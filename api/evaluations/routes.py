"""Routes of the score matrix."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.evaluations.schemas import Matrix
from api.evaluations.service import matrix_body, matrix_csv
from api.security import AuthenticatedRoute, Reader
from api.services import ServicesDep

router = APIRouter(prefix="/v1/jobs/{job_id}/evaluations", tags=["evaluations"], route_class=AuthenticatedRoute)
_MATRIX_DOC = {"description": "The matrix.", "content": {"text/csv": {"schema": {"type": "string"}}}}


class MatrixFormat(StrEnum):
    """How the matrix is written."""

    JSON = "json"
    CSV = "csv"


@router.get("/matrix", operation_id="get_matrix", response_model=Matrix, responses={200: _MATRIX_DOC})
def matrix(
    job_id: str,
    caller: Reader,
    services: ServicesDep,
    format: Annotated[MatrixFormat, Query()] = MatrixFormat.JSON,  # noqa: A002 the name of the query parameter
) -> Matrix | Response:
    """The score on every task seen, after every visit, for the method beside its controls; and what follows from it."""
    with services.database.read() as work:
        body = matrix_body(work, work.jobs.get(job_id, owner=caller.owner))
    if format is MatrixFormat.CSV:
        name = f'attachment; filename="{job_id}-matrix.csv"'
        return Response(matrix_csv(body), media_type="text/csv", headers={"Content-Disposition": name})
    return body
