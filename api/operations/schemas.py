"""Bodies for operators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from api.schemas import Resource


class Health(Resource):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(Resource):
    """Everything that the service needs is there. No live worker is no fault: jobs wait in the queue."""

    status: Literal["ready"] = "ready"
    checks: Mapping[str, str]
    num_live_workers: int


class Version(Resource):
    """What runs here."""

    version: str
    schema_revision: str
    python: str
