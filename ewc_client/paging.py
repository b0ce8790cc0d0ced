"""Lists that fetch their next page when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from ewc_client.models import Body, Page
from ewc_client.transport import Transport

T = TypeVar("T")


def fetch_page(transport: Transport, path: str, params: Mapping[str, Any], build: Callable[[Body], T]) -> Page[T]:
    """One page of a list."""
    body = transport.request("GET", path, params=params).json()
    return Page(
        data=[build(item) for item in body["data"]],
        has_more=bool(body.get("has_more", False)),
        first_id=body.get("first_id"),
        last_id=body.get("last_id"),
    )


def fetch_all(transport: Transport, path: str, params: Mapping[str, Any], build: Callable[[Body], T]) -> Iterator[T]:
    """Every item of a list, page after page."""
    after = params.get("after")
    while True:
        page = fetch_page(transport, path, {**params, "after": after}, build)
        yield from page.data
        if not page.has_more:
            return
        after = page.last_id
