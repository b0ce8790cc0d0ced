"""A job from visit to visit: what it tells, what its agents are tied to, and what its evaluation says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ewc_core.errors import SpecError
from ewc_core.events import (
    Consolidated,
    EpisodesLogged,
    Evaluated,
    Event,
    FisherProgress,
    StepLogged,
    Stepped,
    TaskRecognised,
    Visit,
    VisitFinished,
    VisitStarted,
)
from ewc_core.reinforcement.environments.episodes import Episodes
from ewc_core.reinforcement.game_book import GameBook
from ewc_core.reinforcement.problem import GameProblem
from ewc_core.reinforcement.run import run
from ewc_core.specs.environments import GymnasiumTask
from ewc_core.specs.reinforcement import ReinforcementSpec
from ewc_core.training.visits import VisitRun
from tests.ewc_core.reinforcement.jobs import (
    CARTPOLE,
    CATCH,
    EWC,
    FLAT,
    NUM_ENVS,
    STEPS,
    STEPS_TO_RECOGNISE,
    begin,
    job,
    learn_all,
    problem_of,
    same_tensors,
    visit_of,
)

NAIVE = {"kind": "naive"}


def _of(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def _order(events: list[Event]) -> list[str]:
    """The kinds of events of a visit, repetitions of one kind in a row only once."""
    names = [type(event).__name__ for event in events]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def _precision(reinforcement_run: VisitRun, kind: str, playing: int) -> Tensor | None:
    agent = problem_of(reinforcement_run)._players[kind].agents[0]
    quadratic = agent.consolidated.penalty(agent.learner.parameters.layout, visiting=playing)
    return None if quadratic is None else quadratic.precision


def test_events_come_in_the_order_that_is_promised() -> None:
    spec = job(visits=(0, 1), num_steps=8, agent={"min_history": 2, "batch_size": 4})
    whole = begin(spec)
    first, second = (list(whole.learn(visit_of(spec, index))) for index in range(2))
    steps = ["StepLogged", "Stepped"]
    assert _order(first) == ["VisitStarted", *steps, *steps, "Evaluated", "VisitFinished"]
    assert _order(second) == [
        *["VisitStarted", "TaskRecognised", "FisherProgress", *steps, *steps],
        *["FisherProgress", "Consolidated", "Evaluated", "VisitFinished"],
    ]


def test_the_schedule_is_played_visit_by_visit_with_steps_of_all_copies_counted() -> None:
    spec = job(num_steps=STEPS + 1)  # rounded up to whole steps of all copies
    events = list(run(spec))
    assert [event.visit.task_index for event in _of(events, VisitStarted)] == [0, 1, 0]
    assert [event.num_steps for event in _of(events, VisitFinished)] == [STEPS + NUM_ENVS] * 3
    steps = [event.step for event in _of(events, Stepped) if event.visit.index == 0]
    assert steps == list(range(NUM_ENVS, STEPS + NUM_ENVS + 1, NUM_ENVS))
    assert len(_of(events, StepLogged)) > 3
    assert _of(events, EpisodesLogged)


def test_what_a_task_taught_is_consolidated_when_it_is_left_and_at_the_end_of_a_closed_stream() -> None:
    events = list(run(job()))
    made = [(event.visit.index, event.constraint.task_index) for event in _of(events, Consolidated)]
    assert made == [(1, 0), (2, 0), (2, 1)]
    progress = [(event.num_done, event.num_examples) for event in _of(events, FisherProgress)]
    assert progress.count((64, 64)) == 3


def test_in_an_open_stream_the_task_being_played_is_consolidated_after_every_visit_and_anew_when_it_is_left() -> None:
    spec = _open()
    job_without_an_end = begin(spec)
    made = {}
    for index in (0, 1):
        visit = Visit(index=index, task_index=index, task=spec.tasks[index])
        for event in _of(list(job_without_an_end.learn(visit)), Consolidated):
            made[index, event.constraint.task_index] = event.constraint.anchor["layers.0.weight.weight"]
    assert sorted(made) == [(0, 0), (1, 0), (1, 1)]
    assert not torch.equal(made[1, 0], made[1, 1])


def test_announced_switches_are_told_at_once_and_inferred_ones_late_with_a_posterior() -> None:
    told = _of(list(run(job())), TaskRecognised)
    assert [(event.label, event.previous, event.is_new, event.num_steps_late) for event in told] == [
        (1, 0, True, 0),
        (0, 1, False, 0),
    ]
    assert {event.origin for event in told} == {"announced"}
    inferred = _of(list(run(job(task_inference=FLAT, num_steps=STEPS_TO_RECOGNISE))), TaskRecognised)
    assert [(event.label, event.previous, event.is_new) for event in inferred] == [(1, 0, True), (0, 1, False)]
    assert all(0 < event.num_steps_late < STEPS_TO_RECOGNISE for event in inferred)
    assert all(event.posterior > 0.99 for event in inferred)
    assert {event.origin for event in inferred} == {"inferred"}


def test_only_a_task_that_was_played_for_ewc_start_frames_in_all_is_consolidated() -> None:
    method = {**EWC, "ewc_start_frames": STEPS + 1}
    events = list(run(job(method)))
    made = [(event.visit.index, event.constraint.task_index) for event in _of(events, Consolidated)]
    assert made == [(2, 0)]  # task 1 never had enough, task 0 only with its second visit


def test_the_own_constraint_is_inactive_while_a_task_is_played_and_replaced_when_it_is_left_again() -> None:
    spec = job(visits=(0, 1, 0, 1))
    whole = begin(spec)
    seen: list[Tensor | None] = []
    for index in range(4):
        for event in whole.learn(visit_of(spec, index)):
            if isinstance(event, Stepped) and event.step == 2 * NUM_ENVS:
                agent = problem_of(whole)._players["ewc"].agents[0]
                quadratic = agent.learner._penalty
                seen.append(None if quadratic is None else quadratic.precision)
                expected = _precision(whole, "ewc", playing=spec.segments[index].task)
                assert (seen[-1] is None) == (expected is None)
                assert expected is None or torch.equal(expected, quadratic.precision)
    agent = problem_of(whole)._players["ewc"].agents[0]
    assert seen[0] is None
    assert agent.consolidated.made_in == {0: 3, 1: 3}
    # Visits 1 and 3 are tied to task 0 alone: to what visit 0 and then what visit 2 left, not to the sum.
    made = next(constraint for constraint in agent.consolidated.constraints if constraint.task_index == 0)
    expected = made.ewc_lambda * agent.learner.parameters.layout.join(made.fisher, dtype=torch.float64)
    assert seen[3] is not None
    torch.testing.assert_close(seen[3].double(), expected)
    assert seen[1] is not None
    assert not torch.equal(seen[1], seen[3])


def test_every_task_has_an_exploration_timer_of_its_own() -> None:
    spec = job(visits=(0, 0, 1))
    whole = begin(spec)
    first: dict[int, float] = {}
    for index in range(3):
        for event in whole.learn(visit_of(spec, index)):
            if isinstance(event, Stepped) and event.step == NUM_ENVS:
                first[index] = problem_of(whole)._players["ewc"].agents[0].exploration_epsilon
    assert first[0] == 1.0
    assert first[1] == pytest.approx(0.1)
    assert first[2] == 1.0
    assert problem_of(whole)._players["ewc"].agents[0].num_steps == {0: 2 * STEPS, 1: STEPS}


def test_naive_is_ewc_with_lambda_0_bit_for_bit() -> None:
    spec = job({**EWC, "ewc_lambda": 0.0}, controls=["naive"])
    whole = begin(spec)
    learn_all(whole)
    ewc, naive = whole.weights("ewc"), whole.weights("naive")
    assert same_tensors(ewc, naive)

    tied = begin(job(EWC))
    learn_all(tied)
    assert not same_tensors(tied.weights("ewc"), naive)


def test_before_the_first_switch_all_agents_that_start_alike_are_alike() -> None:
    spec = job(EWC, controls=["naive", "l2", "shuffled_fisher", "independent"], visits=(0,))
    whole = begin(spec)
    learn_all(whole)
    weights = [whole.weights(kind) for kind in spec.methods]
    assert all(same_tensors(weights[0], other) for other in weights[1:])


def test_l2_and_shuffled_fisher_are_as_stiff_as_ewc_in_all_but_elsewhere() -> None:
    spec = job(EWC, controls=["l2", "shuffled_fisher"], visits=(0, 1))
    whole = begin(spec)
    learn_all(whole)
    # Task 0 was left with the same weights and replay by all three.
    precisions = [problem_of(whole)._players[kind].agents[0].consolidated.constraints[0].fisher for kind in spec.methods]
    traces = [sum(float(value.sum()) for value in fisher.values()) for fisher in precisions]
    assert traces[1:] == pytest.approx([traces[0]] * 2, rel=1e-5)
    name = problem_of(whole)._players["ewc"].agents[0].learner.tasks.shared_names[0]
    assert len({tuple(fisher[name].flatten().tolist()) for fisher in precisions}) == 3


def test_independent_agents_have_a_network_and_a_replay_per_task_and_start_from_different_weights() -> None:
    spec = job(NAIVE, controls=["independent"], visits=(0, 1))
    whole = begin(spec)
    list(whole.learn(visit_of(spec, 0)))
    first = problem_of(whole)._players["independent"].agent(0).learner.tasks.state()["parameters"].clone()
    list(whole.learn(visit_of(spec, 1)))
    agents = problem_of(whole)._players["independent"].agents
    assert [list(agent.replays.by_label) for agent in agents] == [[0], [1]]
    assert torch.equal(agents[0].learner.tasks.state()["parameters"], first)
    fresh = problem_of(begin(spec))._players["independent"]
    assert not torch.equal(*(fresh.agent(task).learner.parameters.values for task in (0, 1)))


def test_biases_and_gains_of_a_task_stay_bit_identical_while_the_other_is_played() -> None:
    spec = job(visits=(0, 1))
    whole = begin(spec)
    list(whole.learn(visit_of(spec, 0)))
    tasks = problem_of(whole)._players["ewc"].agents[0].learner.tasks
    own, shared = tasks.of(0), whole.weights("ewc")[tasks.shared_names[0]]
    list(whole.learn(visit_of(spec, 1)))
    assert torch.equal(tasks.of(0), own)
    assert not torch.equal(tasks.of(1), own)
    assert not torch.equal(whole.weights("ewc")[tasks.shared_names[0]], shared)


def test_evaluation_changes_nothing_and_scores_every_task_on_its_reference() -> None:
    plain = job(visits=(0, 1), task_inference=FLAT, num_steps=STEPS_TO_RECOGNISE)
    longer = plain.model_copy(
        update={"evaluation": plain.evaluation.model_copy(update={"num_episodes": 9, "num_look_steps": 40})}
    )
    one, other = begin(plain), begin(longer)
    learn_all(one)
    events = learn_all(other)
    assert same_tensors(_memory_state(one), _memory_state(other))
    rows = _of(events, Evaluated)
    assert [sorted(row.scores) for row in rows] == [[0, 1], [0, 1]]
    details = rows[1].details["tasks"]
    assert isinstance(details, dict)
    for task, score in rows[1].scores.items():
        mean = details[str(task)]["returns"]["0.05"]
        assert score == pytest.approx((mean + 0.6) / 1.6)
        assert set(details[str(task)]["returns"]) == {"0.05", "0.5"}
        assert details[str(task)]["label"] == task  # in the order of discovery
    for cell in rows[1].measured.values():
        assert (cell.name, cell.num_examples, cell.chance) == ("normalised", 9, 0.0)
        assert cell.score is not None
        assert cell.interval is not None
        assert cell.interval[0] <= cell.score <= cell.interval[1]


def _memory_state(whole: VisitRun) -> dict[str, Tensor]:
    return {f"{kind}.{name}": t for kind, player in problem_of(whole)._players.items() for name, t in player.capture().items()}


def test_the_episodes_of_an_evaluation_begin_alike_for_every_method_epsilon_and_visit(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = job(visits=(0, 1), task_inference=FLAT, controls=["oracle"], num_steps=40)
    whole = begin(spec)
    list(whole.learn(visit_of(spec, 0)))
    seeds: list[list[int]] = []
    opened = GameBook.evaluation_environment

    def noting(self: GameBook, task: int, num_envs: int) -> Any:
        group = opened(self, task, num_envs)
        seeds.append([])
        return group

    begin_episode = Episodes.begin

    def note(self: Episodes, copy: int) -> int:
        seed = begin_episode(self, copy)
        if seeds and self.numbers[copy] == 0:
            seeds[-1].append(seed)
        return seed

    monkeypatch.setattr(GameBook, "evaluation_environment", noting)
    monkeypatch.setattr(Episodes, "begin", note)
    visit = visit_of(spec, 1)
    list(problem_of(whole).evaluate(visit))
    played = [tuple(part) for part in seeds]
    assert len(set(played)) == 2  # one set of games per task, whoever plays them, however often
    assert len(played) == 2 * (3 + 2)


def test_evaluating_only_tasks_seen_leaves_out_those_that_no_visit_trained() -> None:
    spec = job(visits=(1, 0))
    seen = spec.model_copy(update={"evaluation": spec.evaluation.model_copy(update={"tasks": "seen"})})
    assert [sorted(row.scores) for row in _of(list(run(seen)), Evaluated)] == [[1], [0, 1]]


def test_a_visit_can_be_ended_after_any_step_and_the_next_one_follows() -> None:
    spec = job(visits=(0, 1))
    whole = begin(spec)
    events = []
    for event in whole.learn(visit_of(spec, 0)):
        events.append(event)
        if isinstance(event, Stepped) and event.step == 100:
            whole.end_visit_now()
    assert _of(events, VisitFinished)[0].num_steps == 100

    cut = begin(spec)
    list(cut.learn(Visit(index=0, task_index=0, task=spec.tasks[0], max_steps=100)))
    assert same_tensors(_memory_state(cut), _memory_state(whole))
    assert _of(list(whole.learn(visit_of(spec, 1))), VisitFinished)[0].num_steps == STEPS


def _open(**fields: Any) -> ReinforcementSpec:
    return job(visits=(0, 1), num_steps=100, stream="open", **fields)


def test_an_announced_task_joins_the_others_and_a_run_with_it_can_be_restored(tmp_path: Path) -> None:
    spec = _open()
    third = GymnasiumTask.model_validate(CATCH[2])
    whole = begin(spec, replay_folder=tmp_path)
    learn_all(whole)
    visit = Visit(index=2, task_index=2, task=third)
    for event in whole.learn(visit):
        if isinstance(event, Stepped) and event.step == 40:
            point = whole.capture()
    assert sorted(_of(list(whole.learn(Visit(index=3, task_index=0, task=spec.tasks[0]))), Evaluated)[0].scores) == [0, 1, 2]
    problem = GameProblem(spec, replay_folder=tmp_path, generation=1)
    again = VisitRun.restore(problem, point, tasks=[*spec.tasks, third], visiting=2)
    list(again.learn(visit))
    list(again.learn(Visit(index=3, task_index=0, task=spec.tasks[0])))
    assert same_tensors(again.capture().tensors, whole.capture().tensors)


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"kind": "gymnasium", "id": "CartPole-v1"}, "frames of shape"),
        ({"kind": "gymnasium", "id": "No-such-thing-v9"}, "No-such-thing"),
    ],
)
def test_an_announced_task_that_does_not_fit_is_refused_and_the_run_goes_on(task: dict[str, Any], message: str) -> None:
    spec = _open()
    whole = begin(spec)
    learn_all(whole)
    with pytest.raises(SpecError, match=message):
        list(whole.learn(Visit(index=2, task_index=2, task=GymnasiumTask.model_validate(task))))
    assert _of(list(whole.learn(Visit(index=2, task_index=1, task=spec.tasks[1]))), VisitFinished)


def test_an_announced_game_with_more_actions_than_the_network_is_refused() -> None:
    cartpole = {"kind": "gymnasium", "id": "MountainCarContinuous-v0"}
    spec = job(tasks=[{"kind": "gymnasium", "id": "CartPole-v1"}], visits=(0,), num_steps=8, stream="open")
    whole = begin(spec)
    learn_all(whole)
    with pytest.raises(SpecError, match="actions"):
        list(whole.learn(Visit(index=1, task_index=1, task=GymnasiumTask.model_validate(cartpole))))


def test_another_visit_or_task_than_the_one_due_is_refused() -> None:
    spec = job()
    whole = begin(spec)
    with pytest.raises(SpecError, match="visit 0 is due"):
        list(whole.learn(visit_of(spec, 1)))
    with pytest.raises(SpecError, match="not the job's"):
        list(whole.learn(Visit(index=0, task_index=0, task=spec.tasks[1])))


def test_constraints_can_be_reweighted_between_visits_and_forgotten() -> None:
    spec = job(visits=(0, 1, 0))
    whole = begin(spec)
    for index in range(2):
        list(whole.learn(visit_of(spec, index)))
    before = _precision(whole, "ewc", playing=1)
    whole.set_constraint_weights({0: 0.5})
    half = _precision(whole, "ewc", playing=1)
    assert before is not None
    assert half is not None
    torch.testing.assert_close(half, 0.5 * before)
    whole.set_constraint_weights({0: 0.0})
    assert _precision(whole, "ewc", playing=1) is None
    for event in whole.learn(visit_of(spec, 2)):
        if isinstance(event, Stepped):
            with pytest.raises(SpecError, match="under way"):
                whole.set_constraint_weights({})
            break


def test_saying_again_how_often_constraints_count_changes_no_bit() -> None:
    spec = job(visits=(0, 1, 0), num_steps=STEPS_TO_RECOGNISE, task_inference=FLAT)  # tied as before until it recognises
    plain, told = begin(spec), begin(spec)
    for index in range(3):
        told.set_constraint_weights({0: 1.0})
        for run_of_two in (plain, told):
            list(run_of_two.learn(visit_of(spec, index)))
    assert same_tensors(plain.capture().tensors, told.capture().tensors)


def test_replays_that_do_not_fit_into_the_bound_are_refused_though_the_spec_cannot_know_the_frames() -> None:
    tasks = [{"kind": "gymnasium", "id": "MountainCar-v0", "permutation": number} for number in (0, 1)]
    spec = job(tasks=tasks, visits=(0,), agent={"replay_memory_bytes": 30_000})
    with pytest.raises(SpecError, match="2 tasks of 1 agents") as refused:
        begin(spec)
    assert refused.value.field == "agent.replay_memory_bytes"


def test_more_labels_than_replays_fit_give_way_without_a_fault() -> None:
    """Looking at a pole in short windows the recogniser finds several labels per task, in a bound with room for two."""
    inference = {**FLAT, "num_levels": 8, "update_every": 1, "window": 32}
    bound = {"replay_memory_bytes": 2 * 4 * (150 + 256) * 23}
    spec = job(tasks=CARTPOLE, task_inference=inference, num_steps=1200, agent=bound)
    whole = begin(spec)
    learn_all(whole)
    agent = problem_of(whole)._players["ewc"].agents[0]
    assert len(agent.num_steps) > 2
    assert len(agent.replays.by_label) <= 2


def test_an_open_stream_needs_someone_to_announce_its_tasks() -> None:
    with pytest.raises(SpecError, match="closed"):
        next(iter(run(_open())))
