"""Ids."""

from __future__ import annotations

import re

import pytest

from store import ids


def test_an_id_is_its_prefix_and_26_crockford_characters():
    assert re.fullmatch(r"job_[0-9A-HJKMNP-TV-Z]{26}", ids.new_id("job"))


def test_ids_differ():
    assert len({ids.new_id("task") for _ in range(1000)}) == 1000


def test_ids_sort_by_the_millisecond_in_which_they_were_made(monkeypatch):
    monkeypatch.setattr(ids, "_last", 0)
    made = []
    for milliseconds in (0, 1, 31, 32, 1_800_000_000_000, 2**48 - 1):
        monkeypatch.setattr(ids.time, "time_ns", lambda now=milliseconds: now * 1_000_000)
        made.append(ids.new_id("sw"))
    assert made == sorted(made)


@pytest.mark.parametrize("milliseconds", [1_800_000_000_000, 1_700_000_000_000])
def test_ids_of_one_process_sort_in_the_order_in_which_they_were_made_whatever_its_clock_does(monkeypatch, milliseconds):
    monkeypatch.setattr(ids, "_last", 1_800_000_000_000 << 80)
    monkeypatch.setattr(ids.time, "time_ns", lambda: milliseconds * 1_000_000)
    made = [ids.new_id("job") for _ in range(1000)]
    assert made == sorted(set(made))
