"""What a job costs is told by one command before it is submitted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]


def test_the_cost_of_the_papers_games_is_printed() -> None:
    command = [sys.executable, "-m", "examples.cost_estimate", "examples/atari_10_games.json", "--frames-per-second", "1000"]
    shown = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    assert "10 Fishers and anchors" in shown
    assert "in all 8." in shown
