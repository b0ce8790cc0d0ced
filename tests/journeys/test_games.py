"""A game job over HTTP: a game is announced while another is played, wrong ones are refused, and an old task is filmed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.fleet import REPOSITORY
from tests.journeys.service import Service

JOB: dict[str, Any] = {
    "kind": "reinforcement",
    "seed": 0,
    "network": {"kind": "mlp", "hidden_sizes": [16, 16]},
    "agent": {"preset": "small", "min_history": 100, "replay_capacity": 2000},
    "method": {"kind": "ewc", "ewc_lambda": 3.0, "fisher": {"num_minibatches": 4}},
    "controls": ["naive"],
    "tasks": [{"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": 1}],
    "schedule": {"kind": "rounds", "num_rounds": 1, "num_steps": 1600, "order": "fixed"},
    "evaluation": {"num_episodes": 4, "exploration_epsilons": [0.05]},
    "stream": "open",
}


def _refused(service: Service, job_id: str, task: dict[str, Any]) -> tuple[str, str]:
    """Pointer and text of the refusal of an announced task."""
    answer = service.http.post(f"/jobs/{job_id}/task-switches", json={"action": "append", "task": task})
    assert answer.status_code == 422, answer.text
    [error] = answer.json()["errors"]
    return error["pointer"], error["detail"]


@pytest.mark.by_day("embedded")
def test_a_game_is_announced_wrong_ones_are_refused_and_the_old_one_is_filmed(stack: Any, tmp_path: Path) -> None:
    with Service(stack.environment, tmp_path) as service:
        job_id = service.http.post("/jobs", json=JOB).raise_for_status().json()["id"]
        pointer, detail = _refused(service, job_id, {"kind": "atari", "game": "breakot"})
        assert pointer.startswith("/task")
        assert "breakout" in detail
        assert _refused(service, job_id, {"dataset": "digits"})[0].startswith("/task")
        for switch in (
            {"action": "append", "task": {"kind": "gymnasium", "id": "ewc/Catch-v0", "permutation": 2}},
            {"action": "close"},
        ):
            assert service.http.post(f"/jobs/{job_id}/task-switches", json=switch).status_code == 201
        service.wait_for_status(job_id, "succeeded", seconds=200)
        matrix = service.http.get(f"/jobs/{job_id}/evaluations/matrix").json()
        assert [len(row["scores"]) for row in matrix["methods"]["ewc"]["rows"]] == [2, 2]
        film = tmp_path / "film.gif"
        command = [sys.executable, "-m", "examples.episode_film", job_id, "0", "--out", str(film)]
        environment = {**os.environ, "EWC_URL": service.url, "EWC_API_KEY": service.key}
        shown = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
        assert shown.returncode == 0, shown.stderr
        assert "when it was first left" in shown.stdout
        assert film.read_bytes().startswith(b"GIF89a")
