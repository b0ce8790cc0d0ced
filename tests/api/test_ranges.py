"""Range headers as RFC 9110 reads them."""

from __future__ import annotations

import pytest

from api.checkpoints.ranges import requested_range
from api.errors import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=10-19", 10, 20),
        ("bytes=90-", 90, 100),
        ("bytes=-10", 90, 100),
        ("bytes=-1000", 0, 100),
        ("bytes=50-1000", 50, 100),
        ("Bytes= 5-6 ", 5, 7),
        ("bytes=0-" + "9" * 24, 0, 100),
        ("bytes=0-" + "9" * 5000, 0, 100),
        ("bytes=-" + "9" * 5000, 0, 100),
        ("bytes=" + "0" * 5000 + "5-" + "0" * 5000 + "6", 5, 7),
        ("bytes=5-6,", 5, 7),
        ("bytes=,\t5-6 , ", 5, 7),
    ],
)
def test_one_range_within_the_content(header, start, stop):
    wanted = requested_range(header, 100)
    assert wanted is not None
    assert (wanted.start, wanted.stop) == (start, stop)
    assert wanted.content_range == f"bytes {start}-{stop - 1}/100"


@pytest.mark.parametrize("header", [None, "items=0-1", "nonsense", "bytes=0-1,5-6", "bytes=0-1, -1", "bytes=0-1,100-"])
def test_no_range_another_unit_or_several_ranges_mean_the_whole_content(header):
    assert requested_range(header, 100) is None


def test_the_last_bytes_of_nothing_are_nothing():
    assert requested_range("bytes=-5", 0) is None


@pytest.mark.parametrize(
    "header",
    [
        *("bytes=100-", "bytes=5-4", "bytes=-0", "bytes=-", "bytes=", "bytes=,", "bytes=a-b", "bytes=0-1,x"),
        *("bytes=100-,200-300", "bytes=0--1", "bytes=+0-1", "bytes=0x0-1", "bytes=\u00b2-", "bytes=5"),
        "bytes=" + "9" * 5000 + "-",
    ],
)
def test_a_range_that_the_content_does_not_have_is_refused_with_its_size(header):
    with pytest.raises(RangeNotSatisfiable) as refusal:
        requested_range(header, 100)
    assert refusal.value.headers["Content-Range"] == "bytes */100"


def test_nothing_has_no_first_byte():
    with pytest.raises(RangeNotSatisfiable) as refusal:
        requested_range("bytes=0-", 0)
    assert refusal.value.headers["Content-Range"] == "bytes */0"
