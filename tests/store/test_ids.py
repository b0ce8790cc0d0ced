"""Ids."""

from __future__ import annotations

import re

from store import ids


def test_an_id_is_its_prefix_and_26_crockford_characters():
    assert re.fullmatch(r"job_[0-9A-HJKMNP-TV-Z]{26}", ids.new_id("job"))


def test_ids_differ():
    assert len({ids.new_id("task") for _ in range(1000)}) == 1000


def test_ids_sort_by_the_millisecond_in_which_they_were_made(monkeypatch):
    made = []
    for milliseconds in (0, 1, 31, 32, 1_800_000_000_000, 2**48 - 1):
        monkeypatch.setattr(ids.time, "time_ns", lambda now=milliseconds: now * 1_000_000)
        made.append(ids.new_id("sw"))
    assert made == sorted(made)
