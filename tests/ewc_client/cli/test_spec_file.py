"""Reading specs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import typer

from ewc_client.cli.spec_file import read_object, set_value


def test_a_spec_comes_from_a_file_standard_input_or_the_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.json").write_text('{"seed": 1}')
    monkeypatch.setattr("sys.stdin", io.StringIO('{"seed": 2}'))
    assert read_object(str(tmp_path / "s.json"), what="spec") == {"seed": 1}
    assert read_object("-", what="spec") == {"seed": 2}
    assert read_object(' {"seed": 3}', what="spec") == {"seed": 3}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{,", "is not JSON: Expecting property name.*column 2"),
        ("[1]", "holds a list; a spec is an object with fields"),
        ("null", "holds null; a spec is"),
        ("true", "holds only the value true; a spec is"),
        (" \n", "is empty; a spec is an object"),
    ],
)
def test_what_is_not_a_json_object_is_refused_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(typer.BadParameter, match=said):
        read_object(str(tmp_path / "s.json"), what="spec")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1, "a": 2}', "the key 'a' is there twice in one object"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": 1e400}', "1e400 is not a number"),
        (5000 * "[", "is not JSON: "),
    ],
    ids=["twice", "nan", "infinite", "deep"],
)
def test_what_python_would_read_but_no_json_says_is_refused(text: str, said: str) -> None:
    with pytest.raises(typer.BadParameter, match=said):
        read_object('{"x": ' + text + "}", what="spec")


@pytest.mark.parametrize("name", ["s.yaml", "s.yml", "spec", "-"])
def test_a_spec_in_yaml_is_the_same_spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    text = "\ufeff# three tasks\nmethod: {kind: ewc, ewc_lambda: 1e2}\ntasks:\n- dataset: digits\n  name: no\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    if name != "-":
        (tmp_path / name).write_text(text, encoding="utf-8")
    expected = {"method": {"kind": "ewc", "ewc_lambda": 100.0}, "tasks": [{"dataset": "digits", "name": "no"}]}
    assert read_object("-" if name == "-" else str(tmp_path / name), what="spec") == expected


def test_a_mistake_in_yaml_is_named_with_file_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("a: 1\na: 2\n")
    with pytest.raises(typer.BadParameter, match=r"s\.yaml, line 2, column 1: the key 'a' is there twice"):
        read_object(str(tmp_path / "s.yaml"), what="spec")


@pytest.mark.parametrize("source", ["s.yaml", "-"])
def test_bytes_that_are_not_utf_8_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    (tmp_path / "s.yaml").write_text("a: 1\n", encoding="utf-16")
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "s.yaml").open(encoding="utf-8") as given:
        monkeypatch.setattr("sys.stdin", given)
        with pytest.raises(typer.BadParameter, match=f"spec file '{source}' is not text in UTF-8"):
            read_object(source, what="spec")


def test_a_collection_of_a_type_that_no_spec_has_is_named_by_its_type(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("tasks: !!set {a, b}\n")
    with pytest.raises(typer.BadParameter, match="column 8: what is of the type 'set' is no value of a spec"):
        read_object(str(tmp_path / "s.yaml"), what="spec")


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(typer.BadParameter, match=r"spec file 'nowhere\.json' cannot be read"):
        read_object("nowhere.json", what="spec")


def test_values_are_set_in_objects_and_lists_as_json_or_text() -> None:
    spec: dict[str, Any] = {"tasks": [{"permutation": 0}], "method": {"ewc_lambda": 1}}
    for assignment in ("method.ewc_lambda=2.5", "tasks.0.permutation=7", "training.optimiser=sgd", 'controls=["naive"]'):
        set_value(spec, assignment)
    assert spec == {
        "tasks": [{"permutation": 7}],
        "method": {"ewc_lambda": 2.5},
        "training": {"optimiser": "sgd"},
        "controls": ["naive"],
    }


@pytest.mark.parametrize("assignment", ["seed", "=1", "tasks.5.name=x", "tasks.first=1", "seed.deeper=1"])
def test_an_assignment_that_leads_nowhere_is_refused(assignment: str) -> None:
    with pytest.raises(typer.BadParameter):
        set_value({"seed": 1, "tasks": []}, assignment)
