"""All networks of a job, trained in lock step, one visit at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ewc_core.consolidation import Constraint, Quadratic
from ewc_core.errors import EwcError, NonFiniteError, SpecError
from ewc_core.events import (
    Consolidated,
    DataRead,
    Evaluated,
    Event,
    FisherProgress,
    Stepped,
    Visit,
    VisitFinished,
    VisitStarted,
    Warned,
)
from ewc_core.networks import reseed_dropout
from ewc_core.networks.guarded import failed_in
from ewc_core.params import ParameterLayout
from ewc_core.resume import ResumePoint
from ewc_core.seeding import generator
from ewc_core.specs import SupervisedSpec, TaskSpec
from ewc_core.supervised.batches import ShuffledBatches
from ewc_core.supervised.consolidate import EndOfVisit, consolidation_steps
from ewc_core.supervised.constraint_book import ConstraintBook
from ewc_core.supervised.early_stopping import EarlyStopping
from ewc_core.supervised.evaluate import metric_of
from ewc_core.supervised.informing import Informing
from ewc_core.supervised.learners import make_learner, new_stopping
from ewc_core.supervised.rehearsal import rehearse
from ewc_core.supervised.run_state import RunState
from ewc_core.supervised.task_book import TaskBook

LOG_EVERY = 20
MAX_LOGGED_STEPS = 1000  # about, per visit: a job may take millions of steps


class SupervisedRun:
    """Every network of a job: its method's and its controls', trained on the same minibatches.

    Deterministic: the same spec, seed and thread count give the same bits, however often the run was captured and
    restored. Global torch state (threads, determinism, generators) is the caller's and is not touched.
    """

    def __init__(self, spec: SupervisedSpec, *, data_dir: Path | None, digests: Mapping[str, str] | None = None) -> None:
        """Load the data of the spec's tasks and make the networks; `digests`, by name, are those of data read before.

        Raises:
            SpecError: the tasks or the network do not fit together; `field` says which. PluginFailed: all that is wrong with a
                plug-in's network.
            DataChanged: data are not what they were.
            StateFormatError: a data file is damaged.
        """
        self.spec = spec
        self.visit_index = 0
        self.step = 0
        self.can_capture = True
        self._tasks = TaskBook(spec, data_dir=data_dir, known_digests=digests)
        self._untold = list(range(len(spec.tasks)))
        self._doubts = rehearse(spec, self._tasks)
        self._visited: list[int] = []
        self._constraints = ConstraintBook(spec.method)
        self._largest_share: float | None = None
        self._ending = False
        self._learners = {kind: make_learner(spec, self._tasks, kind) for kind in spec.methods}
        self._informing = Informing(spec, self._tasks, self._learners)
        self._stopping: EarlyStopping | None = None

    @classmethod
    def restore(
        cls,
        spec: SupervisedSpec,
        *,
        data_dir: Path | None,
        tasks: Sequence[TaskSpec],
        constraints: Sequence[Constraint],
        point: ResumePoint,
        digests: Mapping[str, str] | None = None,
    ) -> SupervisedRun:
        """Continue from `point`: `tasks` seen so far by index, `constraints` as they were consolidated. Data must be those of
        the digests in the point, and of `digests`.

        Raises:
            StateFormatError: the point is not one of a job with this spec.
            ParameterMismatch: its tensors, or a constraint's, do not fit the network.
            DataChanged: data are not what they were.
            SpecError: a task's data are not there, or (from a point without digests) no longer fit.
        """
        run = cls(spec, data_dir=data_dir, digests={**point.digests, **(digests or {})})
        for index, task in enumerate(tasks):
            run._tasks.require(index, task)
        run._untold = [] if point.digests else list(range(max(len(tasks), len(spec.tasks))))
        run.visit_index, run.step = point.visit_index, point.step
        state = RunState.from_tensors(point.tensors, num_tasks=len(tasks), methods=spec.methods)
        run._visited = state.visited
        for constraint in constraints:
            for named in (constraint.fisher, constraint.anchor):
                run._layout.check(named)
        run._constraints = ConstraintBook(spec.method, constraints, latest_task=state.latest_task)
        run._constraints.weights = state.weights
        run._largest_share = state.largest_share
        for kind, learner in run._learners.items():
            learner.load_state(state.learners[kind], in_visit=point.step > 0)
        if point.step > 0:
            run._stopping = new_stopping(spec.method)
        if run._stopping is not None:
            run._stopping.load_state(state.stopping)
        return run

    def capture(self) -> ResumePoint:
        """The present state; allowed at every yielded Stepped, and after a visit is over. Changes nothing."""
        in_visit = self.step > 0
        state = RunState(
            visited=list(self._visited),
            latest_task=self._constraints.latest_task,
            weights=dict(self._constraints.weights),
            largest_share=self._largest_share,
            learners={kind: learner.state(in_visit=in_visit) for kind, learner in self._learners.items()},
            stopping=self._stopping.state() if in_visit and self._stopping is not None else {},
        )
        digests = self._tasks.digests
        return ResumePoint(visit_index=self.visit_index, step=self.step, tensors=state.to_tensors(), digests=digests)

    def weights(self, method: str) -> dict[str, Tensor]:
        """Named copies of one network's parameters."""
        return self._learners[method].parameters.named()

    def set_constraint_weights(self, weights: Mapping[int, float]) -> None:
        """Let the constraints of these tasks count so often from the next visit on; the others count once.

        Raises:
            SpecError: a visit is under way, whose constraints are settled.
        """
        if self.step > 0:
            raise SpecError("constraints are weighted between visits; a visit is under way")
        self._constraints.weights = dict(weights)

    def end_visit_now(self) -> None:
        """Let the visit end after the step just made; call it between events of `learn`."""
        self._ending = True

    def learn(self, visit: Visit) -> Iterator[Event]:
        """One visit, from step `self.step` on; yields events in the order of `ewc_core.events`.

        Raises:
            SpecError: another visit or task is due, or the data set is unavailable.
            DataChanged: the data of a task that was announced are not what they were.
            NonFiniteError: a network diverged.
            PluginFailed: code of a plug-in raised, or gave what it must not give.
        """
        self._expect(visit)
        try:
            yield from self._learn(visit)
        except (EwcError, GeneratorExit, KeyboardInterrupt):
            raise
        except BaseException as error:
            failed = failed_in(self._learners[self.spec.method.kind].network, error)
            if failed is None:
                raise
            raise failed from error

    def _learn(self, visit: Visit) -> Iterator[Event]:
        self._ending = False
        self._informing.start_visit()
        batches = self._tasks.batches(visit.task_index, "shuffle", visit.index)
        num_steps = self.spec.training.num_epochs * batches.steps_per_epoch
        if visit.max_steps is not None:
            num_steps = min(num_steps, visit.max_steps)
        yield VisitStarted(visit, self.step, num_steps)
        yield from self._data_read(visit)
        if self.step == 0:
            self._start(visit)
            if visit.task_index not in self._visited:
                yield from self._informing.zero_shot(visit)
        quadratic = self._set_penalty(visit)
        if self.step == 0:
            if visit.task_index not in self._visited:
                view = self._tasks.view(visit.task_index, seen=self._seen(visit))
                yield from self._informing.one_output(visit, view)
            yield from self._informing.at_start(visit, len(self._seen(visit)), quadratic)
            if visit.index == 0:
                yield from (Warned(visit, self.spec.method.kind, doubt.code, doubt.message) for doubt in self._doubts)
        yield from self._train(visit, batches, num_steps)
        if self._stopping is not None and self._stopping.best_values is not None:
            self._learners[self.spec.method.kind].parameters.load_flat(self._stopping.best_values)
        if self._constraints.ties(visit.task_index):
            yield from self._informing.at_end(visit, quadratic, self._largest_share)
        yield from self._consolidate(visit)
        yield from self._evaluate(visit)
        finished = VisitFinished(visit, self.step, batches.num_examples_in(self.step))
        if visit.task_index not in self._visited:
            self._visited.append(visit.task_index)
        self.visit_index, self.step = visit.index + 1, 0
        yield finished

    def _data_read(self, visit: Visit) -> Iterator[Event]:
        reads = {task: self._tasks.read(task) for task in self._untold}
        self._untold = []
        if reads:
            yield DataRead(visit, reads)
        if self.step == 0 and visit.task_index not in self._visited:
            yield from self._informing.about_data(visit, reads)

    def _start(self, visit: Visit) -> None:
        for learner in self._learners.values():
            learner.start_visit()
        self._largest_share = None
        self._stopping = new_stopping(self.spec.method)

    def _train(self, visit: Visit, batches: ShuffledBatches, num_steps: int) -> Iterator[Event]:
        log_every = max(LOG_EVERY, self.spec.training.num_epochs * batches.steps_per_epoch // MAX_LOGGED_STEPS)
        others = self._tasks.other_batches(visit.task_index, visit.index, self._visited) if "joint" in self._learners else []
        while self.step < num_steps and not self._ending and not (self._stopping is not None and self._stopping.is_over):
            is_logged = (self.step + 1) % log_every == 0 or self.step + 1 == num_steps
            rate = self.spec.training.learning_rate_in(self.step // batches.steps_per_epoch)
            for learner in self._learners.values():
                learner.set_learning_rate(rate)
            penalties = self._informing.penalties() if is_logged else {}
            losses = self._step(visit, batches.at(self.step), others, measure=is_logged)
            self.step += 1
            self._note_epoch(visit, batches)
            if is_logged:
                yield from self._informing.step(visit, self.step, losses, penalties)
            every = self.spec.training.evaluate_every
            if every is not None and (self.step % every == 0 or self.step == num_steps):
                yield from self._informing.scores(visit, self.step, self._seen(visit))
            yield Stepped(visit, self.step, num_steps)
        for kind, learner in self._learners.items():
            if not learner.is_finite():
                raise self._diverged(kind, visit, self.step, "a parameter is NaN or infinite")

    def _step(
        self, visit: Visit, indices: Tensor, others: list[tuple[int, ShuffledBatches]], *, measure: bool
    ) -> dict[str, float]:
        own = self._tasks.segment(visit.task_index, indices, seen=self._seen(visit))
        losses = {}
        for kind, learner in self._learners.items():
            segments = [own]
            if kind == "joint":
                segments += [
                    self._tasks.segment(task, shuffled.at(self.step), seen=self._seen(visit)) for task, shuffled in others
                ]
            if kind == "dropout":
                reseed_dropout(learner.network, generator(self.spec.seed, "dropout", visit.index, self.step))
            try:
                losses[kind] = learner.step(segments, measure=self._informing.share if measure else None)
            except NonFiniteError as error:
                raise self._diverged(kind, visit, self.step + 1, str(error)) from error
            if measure and learner.penalty_share is not None and kind == self.spec.method.kind:
                self._largest_share = max(learner.penalty_share, self._largest_share or 0.0)
        return losses

    def _note_epoch(self, visit: Visit, batches: ShuffledBatches) -> None:
        if self._stopping is None or self.step % batches.steps_per_epoch != 0:
            return
        learner = self._learners[self.spec.method.kind]
        scores = self._tasks.scores(learner.network, self._seen(visit), split="validation")
        if scores:
            self._stopping.note_epoch(sum(scores.values()) / len(scores), learner.parameters.values)

    def _consolidate(self, visit: Visit) -> Iterator[Event]:
        kind = self.spec.method.kind
        end = EndOfVisit(
            task_index=visit.task_index,
            visit_index=visit.index,
            network=self._learners[kind].network,
            data=self._tasks.data(visit.task_index),
            view=self._tasks.view(visit.task_index, seen=self._seen(visit)),
            path=self._learners[kind].path,
            latest=self._constraints.latest,
        )
        steps = consolidation_steps(self.spec, end)
        while True:
            try:
                num_done, num_examples = next(steps)
            except StopIteration as finished:
                constraint: Constraint | None = finished.value
                break
            yield FisherProgress(visit, num_done, num_examples)
        if constraint is not None:
            self._constraints.put(constraint)
            yield Consolidated(visit, kind, constraint)
            yield from self._informing.consolidated(visit, self._constraints, end)

    def _evaluate(self, visit: Visit) -> Iterator[Event]:
        split = self.spec.training.evaluate_on
        sizes = {task: self._tasks.data(task).num_examples(split) for task in self._seen(visit)}
        for kind in self._learners:
            metrics = {task: metric_of(self._tasks.data(task)) for task in sizes}
            yield Evaluated(visit, kind, self._scores(kind, visit), sizes, metrics)

    def _scores(self, kind: str, visit: Visit) -> dict[int, float]:
        return self._tasks.scores(self._learners[kind].network, self._seen(visit), split=self.spec.training.evaluate_on)

    @property
    def _layout(self) -> ParameterLayout:
        return self._learners[self.spec.method.kind].parameters.layout

    def _set_penalty(self, visit: Visit) -> Quadratic | None:
        quadratic = self._constraints.quadratic(self._layout, visiting=visit.task_index)
        self._learners[self.spec.method.kind].set_penalty(quadratic)
        return quadratic

    def _expect(self, visit: Visit) -> None:
        if visit.index != self.visit_index:
            raise SpecError(f"visit {visit.index} cannot be learned now: visit {self.visit_index} is due")
        if self._tasks.require(visit.task_index, visit.task):
            self._untold.append(visit.task_index)

    def _seen(self, visit: Visit) -> list[int]:
        return sorted({*self._visited, visit.task_index})

    def _diverged(self, kind: str, visit: Visit, step: int, what: str) -> NonFiniteError:
        return NonFiniteError(
            f"method {kind!r}, visit {visit.index} (task {visit.task.title!r}), step {step}: {what}; "
            "try a smaller learning_rate, penalty_step 'proximal' or a smaller ewc_lambda"
        )
