"""YAML as JSON would mean it."""

from __future__ import annotations

import re

import pytest

from ewc_client.cli.yaml_text import parse_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)
MERGE_BOMB = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 12))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("null", None),
        ("", None),
        ("1e3", 1000.0),
        ("1e-3", 0.001),
        (".5", 0.5),
        ("010", 10),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2026-01-01", "2026-01-01"),
        ("'.inf'", ".inf"),
        ("'1'", "1"),
        ("[a, 1, -2.5e+2]", ["a", 1, -250.0]),
        ("!!str 1", "1"),
    ],
)
def test_a_value_is_what_json_or_a_reader_would_take_it_for(text, value):
    found = parse_yaml(f"x: {text}\n")["x"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_texts_and_fields_can_be_merged():
    text = "base: &base {kind: ewc, ewc_lambda: 1}\nmethod:\n  <<: *base\n  ewc_lambda: 2\nno: 1\n1: 2\n"
    method = {"kind": "ewc", "ewc_lambda": 2}
    assert parse_yaml(text) == {"base": {"kind": "ewc", "ewc_lambda": 1}, "method": method, "no": 1, "1": 2}


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: ", "'a' is there twice"),
        ("a: 1\n\tb: 2\n", "line 2, column 1: ", "cannot start any token"),
        ("a: [1, 2\nb: 3\n", "line 2, column 2: ", "expected ',' or ']'"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: ", "another document"),
        ("a: !!python/object/apply:os.system [ls]\n", "line 1, column 4: ", "is no value of a spec"),
        ("a: !!binary aGk=\n", "line 1, column 4: ", "is no value of a spec"),
        ("a: !!float .inf\n", "line 1, column 4: ", "is no value of a spec"),
        ("a: 1e999\n", "line 1, column 4: ", "is no value of a spec"),
        ("a: .inf\n", "line 1, column 4: ", "'.inf' of the type 'float' is no value of a spec"),
        ("a: -.Inf\n", "line 1, column 4: ", "is no value of a spec"),
        ("a: .nan\n", "line 1, column 4: ", "is no value of a spec"),
        ("a: *b\n", "line 1, column 4: ", "undefined alias"),
        ("a: &a [*a]\n", "line 1, column 4: ", "never ends"),
        ("[1]: 2\n", "line 1, column 1: ", "a key must be a text"),
        ("a: b\x1bc\n", "line 1, column 5: ", r"'\x1b' is not allowed"),
        ("", "line 1, column 1: ", "nothing in it"),
        ("# only a comment\n", "line 1, column 1: ", "nothing in it"),
        ("a: " + 5000 * "[", "line 1, column 1: ", "nested too deeply"),
        (BOMB, "line 6, column 5: ", "more than 200000 values"),
        (MERGE_BOMB, "line 6, column ", "more than 200000 values"),
    ],
    ids=range(20),
)
def test_what_is_no_plain_data_is_refused_in_one_line_with_its_place(text, place, why):
    with pytest.raises(ValueError, match=re.escape(why)) as refused:
        parse_yaml(text)
    assert str(refused.value).startswith(place)
    assert "\n" not in str(refused.value)
