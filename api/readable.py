"""Lists of which a row is damaged: it is left out, and the others are shown."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pydantic import ValidationError

from api.schemas import Item, ListOf, list_of
from ewc_core.errors import RowDamaged

_log = logging.getLogger("api")


def readable_page(ids: Iterable[str], read: Callable[[str], Item], *, limit: int, backwards: bool) -> ListOf[Item]:
    """The first `limit` records that can be read, one by one. A page read at once would fail for ever with any one of them.

    `ids` begin next to the cursor; a page that goes `backwards` is shown in the other order.
    """
    items: list[Item] = []
    has_more = False
    for record_id in ids:
        if len(items) == limit:
            has_more = True
            break
        try:
            items.append(read(record_id))
        except RowDamaged as error:
            _log.error("%s is left out of a list: %s", record_id, error)
    return list_of(items[::-1] if backwards else items, has_more=has_more)


@contextmanager
def stored_values(record_id: str) -> Iterator[None]:
    """Around making a body of what is stored.

    Raises:
        RowDamaged: a value is not of its field's type.
    """
    try:
        yield
    except ValidationError as error:
        fields = ", ".join(".".join(str(part) for part in one["loc"]) for one in error.errors())
        raise RowDamaged(f"{record_id} has stored values that cannot be: {fields}") from error
