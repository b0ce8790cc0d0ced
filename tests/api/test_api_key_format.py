"""Keys: recognisable, checked without the database, and never stored."""

from __future__ import annotations

import re

import pytest

from api.api_key_format import new_key, parse_key


def test_a_new_key_has_the_documented_form_and_parses_to_its_stored_parts():
    key = new_key()
    assert re.fullmatch(r"ewc_live_[0-9a-z]{8}_[A-Za-z0-9_-]{43}_[0-9A-Za-z]{6}", key.text)
    parsed = parse_key(key.text)
    assert parsed is not None
    assert (parsed.prefix, parsed.secret_sha256) == (key.prefix, key.secret_sha256)
    assert key.secret_sha256 not in key.text


def test_no_two_keys_are_alike():
    assert len({new_key().text for _ in range(100)}) == 100


def test_a_change_of_any_one_character_is_noticed():
    text = new_key().text
    for place in range(len(text)):
        other = "a" if text[place] != "a" else "b"
        assert parse_key(text[:place] + other + text[place + 1 :]) is None


@pytest.mark.parametrize("text", ["", "ewc_live_", "sk-1234", "ewc_live_" + "a" * 60, "ewc_live_ä"])
def test_other_text_is_no_key(text):
    assert parse_key(text) is None
