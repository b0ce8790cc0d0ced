"""What a run says of the data that it reads, and that it never goes on with others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ewc_core.data import input_facts
from ewc_core.errors import DataChanged, DatasetUnavailable, SpecError
from ewc_core.events import DataRead, Evaluated, Event, Visit, VisitFinished, Warned
from ewc_core.resume import ResumePoint
from ewc_core.specs import SupervisedSpec
from ewc_core.supervised import run
from ewc_core.training.visits import VisitRun
from tests.ewc_core.supervised.jobs import begin, of_type, restored

_RNG = np.random.default_rng(0)
_INPUTS = _RNG.normal(size=(40, 3)).astype(np.float32)
_LABELS = np.arange(40) % 4


def _save(folder: Path, name: str, inputs: Any = _INPUTS, labels: Any = _LABELS) -> None:
    np.savez(folder / f"{name}.npz", inputs=inputs, targets=labels)


def _spec(*names: str, **changes: Any) -> SupervisedSpec:
    tasks = [{"kind": "plain", "dataset": {"kind": "arrays", "path": f"{name}.npz"}} for name in names]
    body: dict[str, Any] = {
        "network": {"hidden_sizes": [6]},
        "training": {"batch_size": 8},
        "method": {"kind": "ewc", "ewc_lambda": 1.0},
        "tasks": tasks,
    }
    return SupervisedSpec.model_validate({**body, **changes})


def _visit(spec: SupervisedSpec, index: int) -> Visit:
    return Visit(index=index, task_index=index, task=spec.tasks[index])


def _stopped_in_the_first_visit(spec: SupervisedSpec, folder: Path) -> ResumePoint:
    learning = begin(spec, data_dir=folder)
    events = learning.learn(_visit(spec, 0))
    while learning.step < 2:
        next(events)
    return ResumePoint.from_bytes(learning.capture().to_bytes())


def _restored(spec: SupervisedSpec, folder: Path, point: ResumePoint, digests: Mapping[str, str] | None = None) -> VisitRun:
    return restored(spec, point, spec.tasks[:1], data_dir=folder, digests=digests)


class TestDigests:
    def test_a_run_goes_on_with_the_same_data_and_says_nothing_of_them_again(self, tmp_path: Path) -> None:
        _save(tmp_path, "a")
        _save(tmp_path, "b", inputs=-_INPUTS)
        spec = _spec("a", "b")
        point = _stopped_in_the_first_visit(spec, tmp_path)
        assert set(point.digests) == {"a.npz", "b.npz"}
        again = _restored(spec, tmp_path, point)
        events: list[Event] = list(again.learn(_visit(spec, 0)))
        assert isinstance(events[-1], VisitFinished)
        assert not list(of_type(events, DataRead))

    def test_every_changed_file_is_named_with_its_tasks_and_what_to_do(self, tmp_path: Path) -> None:
        _save(tmp_path, "a")
        _save(tmp_path, "b")
        spec = _spec("a", "b", "a")
        point = _stopped_in_the_first_visit(spec, tmp_path)
        _save(tmp_path, "a", inputs=2 * _INPUTS)
        (tmp_path / "b.npz").write_bytes(b"rubbish")
        with pytest.raises(DataChanged) as caught:
            _restored(spec, tmp_path, point)
        message = str(caught.value)
        assert "a.npz of tasks 0 ('a'), 2 ('a'): SHA-256" in message
        assert "b.npz of task 1 ('b'): SHA-256" in message
        assert "Put the old data back (new ones belong under another name) and retry the job" in message
        assert (caught.value.code, caught.value.retryable, caught.value.field) == ("data_changed", True, "tasks.0.dataset")
        assert str(tmp_path) not in message

    def test_old_data_put_back_are_taken(self, tmp_path: Path) -> None:
        _save(tmp_path, "a")
        spec, content = _spec("a"), (tmp_path / "a.npz").read_bytes()
        point = _stopped_in_the_first_visit(spec, tmp_path)
        (tmp_path / "a.npz").write_bytes(b"")
        with pytest.raises(DataChanged):
            _restored(spec, tmp_path, point)
        (tmp_path / "a.npz").write_bytes(content)
        assert _restored(spec, tmp_path, point).step == 2

    def test_data_that_are_gone_are_named_and_can_be_put_back(self, tmp_path: Path) -> None:
        _save(tmp_path, "a")
        spec = _spec("a")
        point = _stopped_in_the_first_visit(spec, tmp_path)
        (tmp_path / "a.npz").unlink()
        with pytest.raises(DatasetUnavailable, match=r"'a\.npz'") as caught:
            _restored(spec, tmp_path, point)
        assert (caught.value.field, caught.value.retryable) == ("tasks.0.dataset.path", True)

    def test_a_point_of_before_there_were_digests_says_what_it_reads(self, tmp_path: Path) -> None:
        _save(tmp_path, "a")
        spec = _spec("a")
        point = _stopped_in_the_first_visit(spec, tmp_path)
        old = ResumePoint(point.visit_index, point.step, point.tensors)
        assert "digests" not in old.to_bytes().decode("latin-1")
        (told,) = of_type(list(_restored(spec, tmp_path, old).learn(_visit(spec, 0))), DataRead)
        assert [digest.name for digest in told.tasks[0].digests] == ["a.npz"]
        with pytest.raises(DataChanged):
            _restored(spec, tmp_path, old, {"a.npz": "0" * 64})

    def test_a_task_that_is_announced_must_have_the_data_that_were_read_before(self, tmp_path: Path) -> None:
        _save(tmp_path, "a")
        _save(tmp_path, "b")
        spec, more = _spec("a", stream="open"), _spec("a", "b")
        learning = begin(spec, data_dir=tmp_path, digests={"b.npz": "0" * 64})
        list(learning.learn(_visit(more, 0)))
        with pytest.raises(DataChanged, match=r"b\.npz of task 1 \('b'\)"):
            next(learning.learn(_visit(more, 1)))


class TestDataAsRead:
    def test_all_tasks_are_described_at_the_start_and_a_new_one_when_it_comes(self, tmp_path: Path) -> None:
        for name in ("a", "b", "c"):
            _save(tmp_path, name, inputs=_INPUTS * ord(name) / 100)
        spec, more = _spec("a", "b", stream="open"), _spec("a", "b", "c")
        learning = begin(spec, data_dir=tmp_path)
        told = [[*of_type(list(learning.learn(_visit(more, index))), DataRead)] for index in range(3)]
        assert [[sorted(event.tasks) for event in events] for events in told] == [[[0, 1]], [], [[2]]]
        read = told[2][0].tasks[2].as_read
        assert read is not None
        assert (read.num_examples, read.num_of_class["test"]) == ({"train": 32, "validation": 0, "test": 8}, (2, 2, 2, 2))

    def test_one_warning_a_kind_names_all_tasks_that_it_is_about(self, tmp_path: Path) -> None:
        _save(tmp_path, "a")
        _save(tmp_path, "b", inputs=1e4 * _INPUTS)
        warned = list(of_type(list(run(_spec("a", "b", "b"), data_dir=tmp_path)), Warned))
        messages = {event.code: event.message for event in warned if event.visit.index == 0}
        assert messages["inputs_far_from_unit_scale"].startswith("tasks 1, 2: inputs of size")
        assert messages["tasks_scaled_differently"].startswith("tasks 1, 2: the largest input is")
        assert len(messages) == 2

    def test_data_that_cannot_be_described_are_learned_all_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise RuntimeError("no memory for this")

        _save(tmp_path, "a")
        monkeypatch.setattr(input_facts, "_repeats", fail)
        events = list(run(_spec("a"), data_dir=tmp_path))
        (told,) = of_type(events, DataRead)
        assert (told.tasks[0].as_read, told.tasks[0].digests[0].name) == (None, "a.npz")
        assert ["no memory for this" in event.message for event in of_type(events, Warned) if event.code == "data_not_described"]
        assert isinstance(events[-1], VisitFinished)


class TestClassesThatATaskLacks:
    @pytest.mark.parametrize("lacking", [0, 1, 3])
    @pytest.mark.parametrize("method", [{"kind": "ewc", "ewc_lambda": 10.0}, {"kind": "naive"}])
    def test_tasks_of_a_shared_head_of_a_given_size_may_lack_classes(
        self, tmp_path: Path, lacking: int, method: dict[str, Any]
    ) -> None:
        _save(tmp_path, "all")
        _save(tmp_path, "some", _INPUTS[lacking != _LABELS], _LABELS[lacking != _LABELS])
        spec = _spec("some", "all", "some", heads={"num_outputs": 4}, method=method)
        events = list(run(spec, data_dir=tmp_path))
        assert len(list(of_type(events, Evaluated))) == 3
        assert not [event for event in of_type(events, Warned) if event.code == "class_missing"]

    def test_all_outputs_of_a_shared_head_compete_in_every_task(self, tmp_path: Path) -> None:
        _save(tmp_path, "some", _INPUTS[_LABELS < 2], _LABELS[_LABELS < 2])
        spec = _spec("some", heads={"num_outputs": 4}, method={"kind": "naive"})
        learning = begin(spec, data_dir=tmp_path)
        before = learning.weights("naive")
        list(learning.learn(_visit(spec, 0)))
        moved = (learning.weights("naive")["layers.1.bias"] != before["layers.1.bias"]).tolist()
        assert moved == [True] * 4
        old = begin(spec.model_copy(update={"spec_version": 1}), data_dir=tmp_path)
        list(old.learn(_visit(spec, 0)))
        assert (old.weights("naive")["layers.1.bias"] != before["layers.1.bias"]).tolist() == [True, True, False, False]

    def test_a_label_beyond_the_head_is_refused(self, tmp_path: Path) -> None:
        _save(tmp_path, "a")
        with pytest.raises(SpecError, match="task 0 needs outputs up to 4, the network has 3"):
            begin(_spec("a", heads={"num_outputs": 3}), data_dir=tmp_path)

    @pytest.mark.parametrize("heads", [{}, {"kind": "multi"}, {"kind": "growing", "num_outputs": 9}])
    def test_elsewhere_a_label_without_examples_is_refused_with_the_way_out(self, tmp_path: Path, heads: dict[str, Any]) -> None:
        _save(tmp_path, "some", _INPUTS[_LABELS != 1], _LABELS[_LABELS != 1])
        with pytest.raises(SpecError, match=r"the largest is 3, but no example has label 1\. .* heads\.num_outputs") as caught:
            begin(_spec("some", heads=heads), data_dir=tmp_path)
        assert caught.value.field == "tasks.0.dataset"

    @pytest.mark.parametrize(
        ("kind", "is_warned"), [("multi", [True, True]), ("growing", [True, False]), ("shared", [False, False])]
    )
    def test_a_task_of_one_class_is_learned_where_it_competes_and_warned_of_where_not(
        self, kind: str, is_warned: list[bool]
    ) -> None:
        tasks = [{"kind": "split", "dataset": "digits", "classes": [label]} for label in (3, 5)]
        spec = _spec("a", tasks=tasks, heads={"kind": kind, "num_outputs": 4}, training={"batch_size": 64})
        events = list(run(spec))
        warned = {event.visit.task_index for event in of_type(events, Warned) if event.code == "one_class_learns_nothing"}
        assert [task in warned for task in range(2)] == is_warned
        assert all(0.0 <= score <= 1.0 for event in of_type(events, Evaluated) for score in event.scores.values())
