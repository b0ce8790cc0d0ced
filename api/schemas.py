"""What the bodies of all resources share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Query
from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from ewc_core.specs.base import Checked


class Resource(BaseModel):
    """A body that the service sends."""

    model_config = ConfigDict(frozen=True)


class Record(Resource):
    """A body with an id."""

    id: str


@dataclass(frozen=True)
class ShownAs:
    """For a field that holds a stored document as it is: its JSON Schema is that of `type`, which the document had when it
    came in, and nothing checks it again."""

    type: Any

    def __get_pydantic_core_schema__(self, _source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.json_or_python_schema(
            handler.generate_schema(self.type), core_schema.any_schema(), serialization=core_schema.simple_ser_schema("any")
        )


class Body(Checked):
    """A body that the service takes."""


Item = TypeVar("Item", bound=Record)


class ListOf(Resource, Generic[Item]):
    """One page. For the next one, send `last_id` as `after`; for the one before, `first_id` as `before`."""

    object: Literal["list"] = "list"
    data: list[Item]
    has_more: bool = False
    first_id: str | None = None
    last_id: str | None = None


def list_of(data: Sequence[Item], *, has_more: bool = False) -> ListOf[Item]:
    """A page with its cursors."""
    first_id, last_id = (data[0].id, data[-1].id) if data else (None, None)
    return ListOf(data=list(data), has_more=has_more, first_id=first_id, last_id=last_id)


Limit = Annotated[int, Query(ge=1, le=100, description="records per page")]
LongLimit = Annotated[int, Query(ge=1, le=1000, description="records per page")]
After = Annotated[str | None, Query(description="id of the last record of the page before")]
Before = Annotated[str | None, Query(description="id of the first record of the page after")]
