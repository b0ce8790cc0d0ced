"""A run that was interrupted anywhere ends with the same bits as one that was not: weights, replays, timers, recogniser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ewc_core.errors import StateFormatError
from ewc_core.events import EpisodesLogged, Evaluated, Event, StepLogged, Stepped, TaskRecognised
from ewc_core.resume import ResumePoint
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.training.visits import VisitRun
from tests.ewc_core.reinforcement.jobs import (
    ACROBOT,
    CARTPOLE,
    CATCH,
    EWC,
    FLAT,
    NUM_ENVS,
    STEPS,
    STEPS_TO_RECOGNISE,
    Interrupted,
    begin,
    job,
    learn_all,
    problem_of,
    restored,
    same_tensors,
    visit_of,
)

JOBS: dict[str, dict[str, Any]] = {
    "catch, told": {"tasks": CATCH[:2], "controls": ["naive", "independent"]},
    "catch, recognised": {"num_steps": STEPS_TO_RECOGNISE, "task_inference": FLAT, "controls": ["l2", "oracle"]},
    "catch, rmsprop, explicit": {
        "method": {**EWC, "ewc_lambda": 0.1, "penalty_step": "explicit"},
        "agent": {"optimiser": "rmsprop_centred", "learning_rate": 2.5e-4, "history": 3},
    },
    "cartpole": {"tasks": CARTPOLE},
    "acrobot, recognised": {"tasks": ACROBOT, "task_inference": {**FLAT, "num_levels": 8, "window": 8}},
}


def _contents(run: VisitRun, folder: Path) -> dict[str, torch.Tensor]:
    """What the replays of all agents hold, drawn with one seed; read through the agents themselves."""
    drawn = {}
    for kind, player in problem_of(run)._players.items():
        for number, agent in enumerate(player.agents):
            for label, replay in agent.replays.by_label.items():
                batch = replay.sample(500, torch.Generator().manual_seed(1))
                for name in ("states", "actions", "rewards", "next_states", "continues"):
                    drawn[f"{kind}.{number}.{label}.{name}"] = getattr(batch, name)
    assert folder.exists()
    return drawn


def _told(events: list[Event]) -> list[Event]:
    """What is logged and scored, each once: an interrupted run may tell something twice, never differently."""
    told: dict[tuple[type[Event], int, int, str], Event] = {}
    for event in events:
        if isinstance(event, StepLogged | EpisodesLogged | Evaluated):
            key = (type(event), event.visit.index, getattr(event, "step", -1), getattr(event, "method", ""))
            assert told.get(key, event) == event
            told[key] = event
    return list(told.values())


@pytest.mark.parametrize("name", JOBS)
def test_interrupted_runs_end_with_the_same_bits(name: str, tmp_path: Path) -> None:
    spec = job(**JOBS[name])
    whole = begin(spec, replay_folder=tmp_path / "whole")
    events = learn_all(whole)

    def at(visit: int, step: int) -> bool:
        return step in {0, NUM_ENVS, 204, STEPS} or (visit > 0 and step == 100)

    interrupted = Interrupted(spec, tmp_path / "interrupted", at)
    assert interrupted.num_restores == 3 * 4 + 2
    assert same_tensors(interrupted.run.capture().tensors, whole.capture().tensors)
    assert same_tensors(_contents(interrupted.run, tmp_path / "interrupted"), _contents(whole, tmp_path / "whole"))
    assert _told(interrupted.events) == _told(events)
    labels = {event.label for event in events if isinstance(event, TaskRecognised) and event.method == "ewc"}
    assert labels >= {0, 1}  # tasks were switched, by announcement or inference


def test_capturing_changes_nothing(tmp_path: Path) -> None:
    spec = job(task_inference=FLAT, visits=(0, 1))
    whole, captured = (begin(spec, replay_folder=tmp_path / name) for name in ("whole", "captured"))
    learn_all(whole)
    for index in range(2):
        for event in captured.learn(visit_of(spec, index)):
            if isinstance(event, Stepped):
                captured.capture()
    assert same_tensors(captured.capture().tensors, whole.capture().tensors)


def test_the_weight_of_the_proximal_step_is_made_anew_for_a_new_penalty(tmp_path: Path) -> None:
    """Adam keeps it for some steps; after a switch it must be that of the new constraints from the first update on."""
    spec = job(visits=(0, 1, 2), tasks=CATCH)
    run = begin(spec, replay_folder=tmp_path)
    learn_all(run)
    learner = problem_of(run)._players["ewc"].agents[0].learner
    assert "optimiser.proximal_weight" in learner.state()
    learner.set_penalty(None)
    assert "optimiser.proximal_weight" not in learner.state()


def _point(spec: ReinforcementSpec, folder: Path, *, at_step: int = 204) -> ResumePoint:
    run = begin(spec, replay_folder=folder, generation=3)
    for event in run.learn(visit_of(spec, 0)):
        if isinstance(event, Stepped) and event.step == at_step:
            break
    return run.capture()


def _restored(spec: ReinforcementSpec, point: ResumePoint, folder: Path, *, generation: int = 4) -> VisitRun:
    return restored(spec, point, visiting=0, replay_folder=folder, generation=generation)


def test_the_files_of_the_generation_that_made_a_point_are_read_and_never_written(tmp_path: Path) -> None:
    spec = job()
    point = _point(spec, tmp_path)
    before = {file: file.read_bytes() for file in (tmp_path / "generation-3").rglob("*.bin")}
    assert before
    run = _restored(spec, point, tmp_path)
    learn_all(run)
    assert {file: file.read_bytes() for file in (tmp_path / "generation-3").rglob("*.bin")} == before
    run.point_kept()
    assert [folder.name for folder in tmp_path.iterdir()] == ["generation-4"]


def test_a_run_cannot_go_on_in_the_generation_that_made_the_point(tmp_path: Path) -> None:
    spec = job()
    with pytest.raises(StateFormatError, match="generation 3"):
        _restored(spec, _point(spec, tmp_path), tmp_path, generation=3)


@pytest.mark.parametrize("damage", ["missing", "shorter"])
def test_a_damaged_replay_is_refused_by_its_name(damage: str, tmp_path: Path) -> None:
    spec = job()
    point = _point(spec, tmp_path)
    file = next((tmp_path / "generation-3").rglob("actions.bin"))
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StateFormatError, match=r"actions\.bin"):
        _restored(spec, point, tmp_path)


@pytest.mark.parametrize(
    "part",
    ["generation", "visited_tasks", "ewc.returns", "ewc.agent.0.random", "ewc.agent.0.learner.target", "ewc.environment.actions"],
)
def test_a_point_without_a_part_is_refused(part: str, tmp_path: Path) -> None:
    spec = job()
    point = _point(spec, tmp_path)
    assert part in point.tensors
    rest = {name: tensor for name, tensor in point.tensors.items() if name != part}
    with pytest.raises(StateFormatError):
        _restored(spec, ResumePoint(point.visit_index, point.step, rest), tmp_path)


@pytest.mark.parametrize("part", ["ewc.strange", "ewc.agent.x.random", "ewc.agent.0.strange", "ewc.agent.0.replays.0"])
def test_a_point_with_a_part_that_nobody_knows_is_refused(part: str, tmp_path: Path) -> None:
    spec = job()
    point = _point(spec, tmp_path)
    with pytest.raises(StateFormatError):
        _restored(spec, ResumePoint(point.visit_index, point.step, {**point.tensors, part: torch.zeros(1)}), tmp_path)


def test_more_than_the_margin_is_never_written_after_a_point_that_was_due(tmp_path: Path) -> None:
    """Windows so long that hundreds of transitions wait: whenever a run dies, its last point is still good."""
    spec = job(task_inference={**FLAT, "window": 1000, "update_every": 50}, num_steps=4000, visits=(0, 1))
    run = begin(spec, replay_folder=tmp_path)
    worst = 0
    for index in range(2):
        for event in run.learn(visit_of(spec, index)):
            if isinstance(event, Stepped):
                replays = problem_of(run)._players["ewc"].agents[0].replays
                for replay in replays.by_label.values():
                    worst = max(worst, replay.num_appended_since_cursor)
                    assert replay.num_appended_since_cursor + spec.agent.history <= replay.margin
                if event.is_point_due:
                    run.capture()
    assert worst > 64


def test_a_run_is_captured_between_steps_only(tmp_path: Path) -> None:
    spec = job(visits=(0,))
    run = begin(spec, replay_folder=tmp_path)
    for event in run.learn(visit_of(spec, 0)):
        if isinstance(event, Evaluated):
            assert not run.can_capture
            with pytest.raises(AssertionError, match="between two steps"):
                run.capture()
    assert run.can_capture
