"""The examples are jobs that can be submitted as they are."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

from ewc_core.events import Evaluated
from ewc_core.specs import JOB_SPEC, SupervisedSpec, SweepSpec
from ewc_core.supervised import run

FOLDER = Path(__file__).parents[2] / "examples"
SPECS = sorted(path for path in FOLDER.rglob("*.json"))
JOBS = [path for path in SPECS if not path.name.startswith("sweep_")]


def test_there_are_examples() -> None:
    assert {path.name for path in SPECS} >= {"permuted_digits.json", "permuted_mnist.json", "split_mnist_task.json"}


@pytest.mark.parametrize("path", SPECS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_example_is_a_valid_spec(path: Path) -> None:
    body = json.loads(path.read_text())
    if path.name.startswith("sweep_"):
        SweepSpec.model_validate(body)
    else:
        JOB_SPEC.validate_python(body)


@pytest.mark.parametrize("path", JOBS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_supervised_examples_are_closed_and_show_their_bounds(path: Path) -> None:
    spec = JOB_SPEC.validate_json(path.read_bytes())
    if isinstance(spec, SupervisedSpec):
        assert spec.stream == "closed"
        assert spec.controls == ["naive", "joint"]


def test_the_regression_example_runs_on_the_arrays_that_its_script_makes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["make_data.py", str(tmp_path)])
    runpy.run_path(str(FOLDER / "own_arrays" / "make_data.py"), run_name="__main__")
    spec = SupervisedSpec.model_validate_json((FOLDER / "own_arrays" / "job.json").read_bytes())
    rows = [event for event in run(spec, data_dir=tmp_path) if isinstance(event, Evaluated)]
    final = {row.method: list(row.scores.values()) for row in rows}
    assert min(final["joint"]) > 0.9
    assert sum(final["ewc"]) > sum(final["naive"]) + 0.5
