"""All networks of a job, trained in lock step, one visit at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from ewc_core.consolidation import Constraint, merge
from ewc_core.data import DataSource, PermutedData, load_source
from ewc_core.errors import NonFiniteError, SpecError, StateFormatError
from ewc_core.events import (
    Consolidated,
    Evaluated,
    Event,
    FisherProgress,
    StepLogged,
    Stepped,
    Visit,
    VisitFinished,
    VisitStarted,
    ZeroShot,
)
from ewc_core.networks import MLP, build_network
from ewc_core.resume import ResumePoint
from ewc_core.seeding import generator
from ewc_core.specs import DATASETS, DatasetName, EwcMethod, SupervisedSpec, L2Method, PenaltyStep, TaskSpec
from ewc_core.supervised.batches import ShuffledBatches
from ewc_core.supervised.consolidate import consolidation_steps
from ewc_core.supervised.evaluate import accuracy
from ewc_core.supervised.learner import Learner

LOG_EVERY = 20
MAX_LOGGED_STEPS = 1000  # about, per visit: a job may take millions of steps
_VISITED = "visited_tasks"


class SupervisedRun:
    """Every network of a job: its method's and its controls', trained on the same minibatches.

    Deterministic: the same spec, seed and thread count give the same bits, however often the run was captured and
    restored. Global torch state (threads, determinism, generators) is the caller's and is not touched.
    """

    def __init__(self, spec: SupervisedSpec, *, data_dir: Path | None) -> None:
        self.spec = spec
        self.visit_index = 0
        self.step = 0
        self._data_dir = data_dir
        self._sources: dict[DatasetName, DataSource] = {}
        self._tasks: dict[int, TaskSpec] = {}
        self._visited: list[int] = []
        self._constraints: dict[int, Constraint] = {}
        self._ending = False
        step = spec.method.penalty_step if isinstance(spec.method, EwcMethod | L2Method) else PenaltyStep.PROXIMAL
        self._learners = {kind: Learner(self._fresh_network(), spec.training, penalty_step=step) for kind in spec.methods}

    @classmethod
    def restore(
        cls,
        spec: SupervisedSpec,
        *,
        data_dir: Path | None,
        tasks: Sequence[TaskSpec],
        constraints: Sequence[Constraint],
        point: ResumePoint,
    ) -> SupervisedRun:
        """Continue from `point`: `tasks` seen so far by index, `constraints` as they were consolidated.

        Raises:
            StateFormatError: the point is not one of a job with this spec.
            ParameterMismatch: its tensors, or a constraint's, do not fit the network.
        """
        run = cls(spec, data_dir=data_dir)
        run.visit_index, run.step = point.visit_index, point.step
        run._tasks = dict(enumerate(tasks))
        run._visited = _visited_tasks(point, len(tasks))
        run._constraints = {constraint.task_index: constraint for constraint in constraints}
        for constraint in constraints:
            for named in (constraint.fisher, constraint.anchor):
                run._learners[spec.method.kind].parameters.layout.check(named)
        rest = set(point.tensors) - {_VISITED}
        for kind, learner in run._learners.items():
            names = {name for name in rest if name.startswith(f"{kind}.")}
            state = {name.removeprefix(f"{kind}."): point.tensors[name] for name in names}
            learner.load_state(state, with_optimiser=point.step > 0)
            rest -= names
        if rest:
            raise StateFormatError(f"the resume point holds {sorted(rest)}, which no method of {spec.methods} has")
        return run

    def capture(self) -> ResumePoint:
        """The present state; allowed at every yielded Stepped, and after a visit is over. Changes nothing."""
        tensors = {_VISITED: torch.tensor(self._visited, dtype=torch.int64)}
        for kind, learner in self._learners.items():
            tensors |= {f"{kind}.{name}": tensor for name, tensor in learner.state(with_optimiser=self.step > 0).items()}
        return ResumePoint(visit_index=self.visit_index, step=self.step, tensors=tensors)

    def weights(self, method: str) -> dict[str, Tensor]:
        """Named copies of one network's parameters."""
        return self._learners[method].parameters.named()

    def end_visit_now(self) -> None:
        """Let the visit end after the step just made; call it between events of `learn`."""
        self._ending = True

    def learn(self, visit: Visit) -> Iterator[Event]:
        """One visit, from step `self.step` on; yields events in the order of `ewc_core.events`.

        Raises:
            SpecError: another visit or task is due, or the data set is unavailable.
            NonFiniteError: a network diverged.
        """
        self._expect(visit)
        self._ending = False
        data = self._data(visit.task)
        batches = self._batches(visit.task_index, "shuffle", visit.index)
        num_steps = self.spec.training.num_epochs * batches.steps_per_epoch
        if visit.max_steps is not None:
            num_steps = min(num_steps, visit.max_steps)
        yield VisitStarted(visit, self.step, num_steps)
        if self.step == 0:
            for learner in self._learners.values():
                learner.start_visit()
            if visit.task_index not in self._visited:
                yield from self._zero_shot(visit, data)
        self._set_penalty(visit)
        yield from self._train(visit, data, batches, num_steps)
        yield from self._consolidate(visit, data)
        yield from self._evaluate(visit)
        finished = VisitFinished(visit, self.step, batches.num_examples_in(self.step))
        if visit.task_index not in self._visited:
            self._visited.append(visit.task_index)
        self.visit_index, self.step = visit.index + 1, 0
        yield finished

    def _train(self, visit: Visit, data: PermutedData, batches: ShuffledBatches, num_steps: int) -> Iterator[Event]:
        others = self._other_batches(visit)
        log_every = max(LOG_EVERY, self.spec.training.num_epochs * batches.steps_per_epoch // MAX_LOGGED_STEPS)
        while self.step < num_steps and not self._ending:
            is_logged = (self.step + 1) % log_every == 0 or self.step + 1 == num_steps
            penalties = {kind: learner.penalty() for kind, learner in self._learners.items()} if is_logged else {}
            losses = self._step(visit, data, batches.at(self.step), others)
            self.step += 1
            if is_logged:
                yield StepLogged(visit, self.step, losses, penalties)
            yield Stepped(visit, self.step, num_steps)
        for kind, learner in self._learners.items():
            if not learner.is_finite():
                raise self._diverged(kind, visit, self.step, "a parameter is NaN or infinite")

    def _step(
        self, visit: Visit, data: PermutedData, indices: Tensor, others: list[tuple[PermutedData, ShuffledBatches]]
    ) -> dict[str, float]:
        inputs, labels = data.training_inputs(indices), data.training_labels(indices)
        losses = {}
        for kind, learner in self._learners.items():
            batch = (inputs, labels)
            if kind == "joint" and others:
                drawn = [(other, shuffled.at(self.step)) for other, shuffled in others]
                batch = (
                    torch.cat([inputs, *(other.training_inputs(chosen) for other, chosen in drawn)]),
                    torch.cat([labels, *(other.training_labels(chosen) for other, chosen in drawn)]),
                )
            try:
                losses[kind] = learner.step(*batch)
            except NonFiniteError as error:
                raise self._diverged(kind, visit, self.step + 1, str(error)) from error
        return losses

    def _consolidate(self, visit: Visit, data: PermutedData) -> Iterator[Event]:
        kind = self.spec.method.kind
        steps = consolidation_steps(
            self.spec, self._learners[kind].network, data, task_index=visit.task_index, visit_index=visit.index
        )
        while True:
            try:
                num_done, num_examples = next(steps)
            except StopIteration as finished:
                constraint: Constraint | None = finished.value
                break
            yield FisherProgress(visit, num_done, num_examples)
        if constraint is not None:
            self._constraints[visit.task_index] = constraint
            yield Consolidated(visit, kind, constraint)

    def _evaluate(self, visit: Visit) -> Iterator[Event]:
        seen = {index: self._data(self._tasks[index]) for index in sorted({*self._visited, visit.task_index})}
        sizes = {index: data.num_test_examples for index, data in seen.items()}
        for kind, learner in self._learners.items():
            scores = {index: accuracy(learner.network, data) for index, data in seen.items()}
            yield Evaluated(visit, kind, scores, sizes)

    def _zero_shot(self, visit: Visit, data: PermutedData) -> Iterator[Event]:
        untrained = accuracy(self._fresh_network(), data)
        for kind, learner in self._learners.items():
            yield ZeroShot(visit, kind, accuracy(learner.network, data), untrained, data.num_test_examples)

    def _set_penalty(self, visit: Visit) -> None:
        # The constraint of the task being visited is inactive: the visit is there to replace it.
        active = [constraint for index, constraint in self._constraints.items() if index != visit.task_index]
        learner = self._learners[self.spec.method.kind]
        learner.set_penalty(merge(active, learner.parameters.layout))

    def _expect(self, visit: Visit) -> None:
        if visit.index != self.visit_index:
            raise SpecError(f"visit {visit.index} cannot be learned now: visit {self.visit_index} is due")
        known = self._tasks.setdefault(visit.task_index, visit.task)
        if known != visit.task:
            raise SpecError(f"visit {visit.index}: task {visit.task_index} is {known.title!r}, got {visit.task.title!r}")

    def _other_batches(self, visit: Visit) -> list[tuple[PermutedData, ShuffledBatches]]:
        """Data and minibatches of the other tasks seen, for joint training."""
        return [
            (self._data(self._tasks[index]), self._batches(index, "joint", visit.index, index))
            for index in sorted(self._visited)
            if index != visit.task_index
        ]

    def _batches(self, task_index: int, *path: str | int) -> ShuffledBatches:
        num_examples = self._data(self._tasks[task_index]).num_training_examples
        return ShuffledBatches(num_examples, self.spec.training.batch_size, seed=self.spec.seed, path=path)

    def _data(self, task: TaskSpec) -> PermutedData:
        if task.dataset not in self._sources:
            self._sources[task.dataset] = load_source(task.dataset, self._data_dir)
        return PermutedData(self._sources[task.dataset], task.permutation)

    def _fresh_network(self) -> MLP:
        info = DATASETS[self.spec.tasks[0].dataset]
        return build_network(
            self.spec.network,
            num_features=info.num_features,
            num_classes=info.num_classes,
            generator=generator(self.spec.seed, "network"),
        )

    def _diverged(self, kind: str, visit: Visit, step: int, what: str) -> NonFiniteError:
        return NonFiniteError(
            f"method {kind!r}, visit {visit.index} (task {visit.task.title!r}), step {step}: {what}; "
            "try a smaller learning_rate, penalty_step 'proximal' or a smaller ewc_lambda"
        )


def _visited_tasks(point: ResumePoint, num_tasks: int) -> list[int]:
    tensor = point.tensors.get(_VISITED)
    if tensor is None or tensor.dtype != torch.int64 or tensor.dim() != 1:
        raise StateFormatError(f"the resume point has no {_VISITED!r}")
    visited = [int(index) for index in tensor]
    unknown = [index for index in visited if not 0 <= index < num_tasks]
    if unknown:
        raise StateFormatError(f"the resume point has visited tasks {unknown}, but only {num_tasks} tasks were given")
    return visited
