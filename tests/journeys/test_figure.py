"""A figure from nothing: a service is started, a small experiment runs, and its files are written."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ewc_core.association.theory import readout_theory

SPEC = {"kind": "association", "num_synapses": 20, "num_patterns": 60, "num_repeats": 8, "rules": [{"kind": "gd", "rate": 0.5}]}


def test_figure_2_is_trained_and_drawn_by_one_command(tmp_path: Path) -> None:
    (tmp_path / "rules.json").write_text(json.dumps(SPEC))
    command = [sys.executable, "-c", "from ewc_client.cli import main; main()", "figure", "2", "--spec", "rules=rules.json"]
    names = ("EWC_URL", "EWC_API_KEY", "EWC_API_PORT", "EWC_API_HOST", "EWC_DATABASE_URL", "EWC_BROKER_URL")
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment["EWC_STATE_DIR"] = str(tmp_path / "state")
    run = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=240, check=False)
    assert run.returncode == 0, run.stderr
    made = tmp_path / "figures"
    assert {path.name for path in made.iterdir()} == {f"figure-2.{suffix}" for suffix in ("png", "svg", "csv", "json")}
    rows = list(csv.DictReader((made / "figure-2.csv").read_text().splitlines()))
    exact = readout_theory(np.full(60, 0.5), num_synapses=20).first_pattern_snr
    for panel, curve in (
        ("first_pattern_snr", "gd_0.5"),
        ("first_pattern_snr", "gd_0.5_theory"),
        ("fraction_retained", "gd_0.5"),
    ):
        assert len([row for row in rows if (row["panel"], row["curve"]) == (panel, curve)]) > 20
    drawn = [row for row in rows if (row["panel"], row["curve"]) == ("first_pattern_snr", "gd_0.5_theory")]
    assert [float(row["y"]) for row in drawn] == pytest.approx([exact[round(float(row["x"])) - 1] for row in drawn])
    origin = json.loads((made / "figure-2.json").read_text())
    assert origin["jobs"]["rules"]["spec"]["num_repeats"] == 8
    assert origin["service"]["version"]
