"""`ewc figure` as a user sees it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ewc_client.cli import main
from ewc_client.figures import load_recipe
from ewc_client.figures.recipe import spec_sha256
from tests.ewc_client.figures.answers import answering, job, matrix, page, supervised
from tests.ewc_client.scripted_server import ScriptedServer

Ewc = Callable[..., tuple[int, str, str]]
ROWS: list[list[float | None]] = [[0.125, 0.25], [0.75, 0.375], [0.5, 0.875]]


@pytest.fixture
def ewc(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Ewc:
    """Runs `ewc` with these arguments in this process, in a folder of its own: status, output, messages."""
    monkeypatch.chdir(tmp_path)

    def _run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["ewc", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        return code if isinstance(code, int) else 0, printed.out, printed.err

    return _run


def documents(**statuses: str) -> dict[str, Any]:
    """A service on which both jobs of figure 3B have been submitted, under other names, by an earlier command."""
    known: dict[str, Any] = {"/version": {"version": "1.2.3"}}
    jobs = []
    for part, spec in load_recipe("3b").parts.items():
        error = {"code": "non_finite", "message": "the loss is NaN"} if statuses.get(part) == "failed" else None
        own = supervised(spec["method"]["kind"], 2, spec_sha256=spec_sha256(spec))
        warning = {"code": "capacity_low", "message": "nearly frozen", "visit_index": 1, "at": ""}
        jobs.append(job(f"job_{part}", own, statuses.get(part, "succeeded"), error=error, warnings=[warning]))
        known[f"/v1/jobs/job_{part}"] = jobs[-1]
        known[f"/v1/jobs/job_{part}/evaluations/matrix"] = matrix(spec["method"]["kind"], ROWS)
    return {**known, "/v1/jobs": page(*jobs)}


def test_a_finished_figure_is_drawn_again_without_submitting_anything(ewc: Ewc, tmp_path: Path) -> None:
    with ScriptedServer(answering(documents())) as server:
        status, out, err = ewc("figure", "3b", "--out", "made", "--url", server.url, "--api-key", "k")
    assert status == 0, err
    assert {asked.method for asked in server.asked} == {"GET"}
    assert [line.split() for line in out.splitlines()[2:]] == [
        ["method", "ewc", "2", "0.75", "at", "1", "0.6875", "at", "2"],
        ["method", "dropout", "2", "0.75", "at", "1", "0.6875", "at", "2"],
        ["single_task", "single_task", "2", "0.75", "at", "1", "0.75", "at", "2"],
    ]
    assert "ewc: job job_ewc, succeeded\n" in err
    assert "warning: dropout: nearly frozen (capacity_low)\n" in err
    assert err.endswith("".join(f"made/figure-3b.{suffix}\n" for suffix in ("png", "svg", "csv", "json")))
    origin = json.loads((tmp_path / "made" / "figure-3b.json").read_text())
    assert (origin["figure"], origin["quick"], origin["service"]) == ("3b", False, {"version": "1.2.3"})
    assert {part: one["id"] for part, one in origin["jobs"].items()} == {"ewc": "job_ewc", "dropout": "job_dropout"}
    assert origin["jobs"]["ewc"]["spec"]["method"] == {"kind": "ewc"}


def test_json_output_is_one_document(ewc: Ewc) -> None:
    with ScriptedServer(answering(documents())) as server:
        status, out, _ = ewc("figure", "3b", "--url", server.url, "--api-key", "k", "-o", "json")
    document = json.loads(out)
    assert (status, document["files"][0]) == (0, "figures/figure-3b.png")
    assert document["jobs"] == {"ewc": "job_ewc", "dropout": "job_dropout"}
    first = document["curves"][0]
    assert first == {"panel": "method", "curve": "ewc", "num_points": 2, "first": [1.0, 0.75], "last": [2.0, 0.6875]}


@pytest.mark.parametrize(
    ("end", "code", "message"),
    [
        ("failed", 1, "error: job job_dropout failed (non_finite): the loss is NaN (part 'dropout')\n"),
        ("cancelled", 3, "error: job job_dropout was cancelled\n"),
    ],
)
def test_a_given_job_that_ended_badly_ends_the_command(ewc: Ewc, tmp_path: Path, end: str, code: int, message: str) -> None:
    with ScriptedServer(answering(documents(dropout=end))) as server:
        status, out, err = ewc("figure", "3b", "--job", "dropout=job_dropout", "--url", server.url, "--api-key", "k")
    assert (status, out) == (code, "")
    assert message in err
    assert not (tmp_path / "figures").exists()


def test_a_job_of_another_kind_is_refused(ewc: Ewc) -> None:
    known = {"/v1/jobs/job_x": job("job_x", {"kind": "association"})}
    with ScriptedServer(answering(known)) as server:
        status, _, err = ewc("figure", "3a", "--job", "l2=job_x", "--url", server.url, "--api-key", "k")
    assert status == 4
    assert err == "error: part 'l2' is a job of kind 'supervised'; job job_x is of kind 'association'\n"


def test_print_spec_prints_every_part_and_asks_no_service(ewc: Ewc) -> None:
    status, out, err = ewc("figure", "3c", "--quick", "--print-spec")
    assert (status, err) == (0, "")
    assert json.loads(out) == load_recipe("3c", quick=True).document()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("4",), "'4' is not one of"),
        (("3a", "--job", "joint=job_1"), "'joint=job_1': expected ewc=... or l2=... or sgd=..., each once"),
        (("3a", "--job", "l2=job_1", "--job", "l2=job_2"), "'l2=job_2': expected"),
        (("2", "--spec", "rules"), "'rules': expected rules=..., each once"),
        (("2", "--spec", "rules=nowhere.json"), "'nowhere.json' cannot be read"),
    ],
)
def test_wrong_usage_is_explained(ewc: Ewc, arguments: tuple[str, ...], message: str) -> None:
    status, out, err = ewc("figure", *arguments)
    assert (status, out) == (2, "")
    assert message in " ".join(err.replace("│", " ").split())


def test_other_commands_do_not_load_the_drawing_library() -> None:
    program = "import ewc_client.cli, sys; print([name for name in ('matplotlib', 'numpy') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"
