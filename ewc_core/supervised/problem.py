"""Learning from data: all networks of a job, trained in lock step on the same minibatches."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ewc_core.consolidation import Constraint, ConstraintStore
from ewc_core.errors import EwcError, NonFiniteError
from ewc_core.events import Consolidated, DataRead, Evaluated, Event, FisherProgress, Visit
from ewc_core.freed_memory import give_back
from ewc_core.generators import passed_on
from ewc_core.networks import reseed_dropout
from ewc_core.networks.guarded import failed_in
from ewc_core.seeding import generator
from ewc_core.specs import SupervisedSpec
from ewc_core.specs.any_task import AnyTaskSpec
from ewc_core.specs.limits import NO_LIMITS, JobLimits
from ewc_core.supervised.batches import ShuffledBatches
from ewc_core.supervised.consolidate import EndOfVisit, consolidation_steps, constraint_book
from ewc_core.supervised.early_stopping import EarlyStopping
from ewc_core.supervised.fresh_learners import make_learner, new_stopping
from ewc_core.supervised.informing import SupervisedInforming
from ewc_core.supervised.rehearsal import rehearse
from ewc_core.supervised.run_state import RunState
from ewc_core.supervised.size_of import size_of
from ewc_core.supervised.task_book import TaskBook
from ewc_core.training.problem import Place

LOG_EVERY = 20
MAX_LOGGED_STEPS = 1000  # about, per visit: a job may take millions of steps


class SupervisedProblem:
    """A `Problem`: every network of a job, its method's and its controls', and the tasks that they learn."""

    can_capture_anywhere = True
    is_point_due = False

    def __init__(
        self,
        spec: SupervisedSpec,
        *,
        data_dir: Path | None,
        digests: Mapping[str, str] | None = None,
        constraints: Sequence[Constraint] = (),
        store: ConstraintStore | None = None,
        limits: JobLimits = NO_LIMITS,
    ) -> None:
        """Load the data of the spec's tasks and make the networks. `digests`, by name, are those of data read before;
        `constraints`, of a job that goes on, as they were consolidated. Where there is a `store`, a constraint is kept in memory
        only until `point_kept` says that it is stored. `limits` are those of a job that begins.

        Raises:
            SpecError: the tasks or the network do not fit together; `field` says which. PluginFailed: all that is wrong with a
                plug-in's network. JobTooLarge: the job would take more than its limits.
            DataChanged: data are not what they were.
            StateFormatError: a data file is damaged.
            ParameterMismatch: a constraint does not fit the network.
        """
        self._spec, self._method = spec, spec.method.kind
        self.methods = spec.methods
        self._tasks = TaskBook(spec, data_dir=data_dir, known_digests=digests)
        self._untold = list(range(len(spec.tasks)))
        if limits != NO_LIMITS:  # before a network that is too large is tried
            limits.require(size_of(spec, self._tasks, limits))
        self._doubts = rehearse(spec, self._tasks)
        self._learners = {kind: make_learner(spec, self._tasks, kind) for kind in spec.methods}
        self._layout = self._learners[self._method].parameters.layout
        for constraint in constraints:
            for named in (constraint.fisher, constraint.anchor):
                self._layout.check(named)
        self._constraints = constraint_book(spec.method, constraints, store=store)
        self._informing = SupervisedInforming(spec, self._tasks, self._learners)
        self._stopping: EarlyStopping | None = None
        self._largest_share: float | None = None
        self._visited: Sequence[int] = ()
        self._seen: Sequence[int] = ()
        self._is_tied = False
        self._batches: ShuffledBatches
        self._others: list[tuple[int, ShuffledBatches]] = []
        self._num_done = 0

    @property
    def digests(self) -> Mapping[str, str]:
        """SHA-256 by name of all data read."""
        return self._tasks.digests

    @property
    def is_over(self) -> bool:
        """Whether early stopping ends the visit here."""
        return self._stopping is not None and self._stopping.is_over

    def require(self, visit: Visit) -> None:
        """Know the visit's task. Raises SpecError or DataChanged when it cannot be learned."""
        if self._tasks.require(visit.task_index, visit.task):
            self._untold.append(visit.task_index)

    def num_steps(self, visit: Visit) -> int:
        """All epochs over the task's training examples."""
        self._batches = self._tasks.batches(visit.task_index, "shuffle", visit.index)
        return self._spec.training.num_epochs * self._batches.steps_per_epoch

    def num_examples(self, num_steps: int) -> int:
        """Examples, counted with repetition, in so many steps of this visit."""
        return self._batches.num_examples_in(num_steps)

    def enter(self, visit: Visit, *, step: int, seen: Sequence[int]) -> Iterator[Event]:
        """Set the penalty of the visit; at its beginning, say what is known of its data and how the networks do untrained."""
        is_new, self._seen, self._num_done = visit.task_index not in self._visited, seen, step
        if "joint" in self._learners:
            self._others = self._tasks.other_batches(visit.task_index, visit.index, self._visited)
        self._informing.start_visit()
        reads = {task: self._tasks.read(task) for task in self._untold}
        self._untold = []
        if reads:
            yield DataRead(visit, reads)
        if step == 0:
            if is_new:
                yield from self._informing.about_data(visit, reads)
            self._start_visit()
            if is_new:
                yield from self._informing.zero_shot(visit)
        penalty = self._constraints.penalty(self._layout, visiting=visit.task_index)
        self._is_tied = penalty is not None
        self._learners[self._method].set_penalty(penalty)
        if step == 0:
            if is_new:
                view = self._tasks.view(visit.task_index, seen=seen)
                yield from self._informing.one_output(visit, view)
            yield from self._informing.at_start(visit, len(seen), penalty)
            if visit.index == 0:
                yield from (self._informing.warned(visit, doubt.code, doubt.message) for doubt in self._doubts)
        give_back()  # what merging took: steps need most of all

    def advance(self, visit: Visit, *, step: int, num_steps: int) -> Generator[Event, None, int]:
        """One step of every network on one minibatch.

        Raises:
            NonFiniteError: a network diverged.
        """
        spec, batches = self._spec.training, self._batches
        log_every = max(LOG_EVERY, spec.num_epochs * batches.steps_per_epoch // MAX_LOGGED_STEPS)
        done = self._num_done = step + 1
        is_logged = done % log_every == 0 or done == num_steps
        rate = spec.learning_rate_in(step // batches.steps_per_epoch)
        for learner in self._learners.values():
            learner.set_learning_rate(rate)
        measured = {kind: learner.penalty for kind, learner in self._learners.items()} if is_logged else {}
        penalties = self._informing.penalties(measured)
        losses = self._step(visit, step, measure=is_logged)
        self._note_epoch(done)
        if is_logged:
            yield from self._informing.step(visit, done, losses, penalties)
        every = spec.evaluate_every
        if every is not None and (done % every == 0 or done == num_steps):
            yield from self._informing.scores(visit, done, self._seen)
        return 1

    def consolidate(self, visit: Visit) -> Iterator[Event]:
        """The constraint of the task, made from the network as it is now, or as it was best where early stopping looks on.

        Raises:
            NonFiniteError: a parameter is NaN or infinite.
        """
        self._require_finite(visit)
        for trained in self._learners.values():
            trained.end_steps()
        give_back()
        learner = self._learners[self._method]
        if self._stopping is not None and self._stopping.best_values is not None:
            learner.parameters.load_flat(self._stopping.best_values)
        if self._constraints.ties(visit.task_index):
            yield from self._informing.at_end(visit, self._is_tied, self._largest_share)
        end = EndOfVisit(
            task_index=visit.task_index,
            visit_index=visit.index,
            network=learner.network,
            data=self._tasks.data(visit.task_index),
            view=self._tasks.view(visit.task_index, seen=self._seen),
            path=learner.path,
            latest=self._constraints.latest,
        )
        steps = consolidation_steps(self._spec, end)
        constraint = yield from passed_on(steps, lambda progress: FisherProgress(visit, *progress))
        give_back()
        if constraint is not None:
            self._constraints.put(constraint, visit_index=visit.index)
            yield Consolidated(visit, self._method, constraint)
            yield from self._informing.consolidated(visit, self._constraints, end)

    def evaluate(self, visit: Visit) -> Iterator[Event]:
        """The score of every network on every task seen."""
        split = self._spec.training.evaluate_on
        for kind, learner in self._learners.items():
            yield Evaluated(visit, kind, self._tasks.measured(learner.network, self._seen, split=split, path=(kind, visit.index)))

    def leave(self, visit: Visit) -> Iterator[Event]:
        """The visited task is no longer new."""
        self._visited = self._seen
        yield from ()

    def weights(self, method: str) -> dict[str, Tensor]:
        """One network's parameters by name, as they are now."""
        return self._learners[method].parameters.views()

    def weigh(self, weights: Mapping[int, float]) -> None:
        """Let the constraints of these tasks count so often from the next visit on; the others count once."""
        self._constraints.weights = dict(weights)

    def state(self, *, in_visit: bool) -> dict[str, Tensor]:
        """The networks' parameters and, within a visit, all that trains them, as they are now."""
        return RunState(
            latest_task=self._constraints.latest_task,
            weights=dict(self._constraints.weights),
            largest_share=self._largest_share,
            learners={kind: learner.state(in_visit=in_visit) for kind, learner in self._learners.items()},
            stopping=self._stopping.state() if in_visit and self._stopping is not None else {},
        ).to_tensors()

    def load_state(self, tensors: Mapping[str, Tensor], place: Place, tasks: Sequence[AnyTaskSpec]) -> None:
        """Go on from what `state` gave.

        Raises:
            StateFormatError: the state is not one of a job with this spec.
            ParameterMismatch: its tensors do not fit the network.
            DataChanged: data are not what they were.
            SpecError: a task's data are not there, or no longer fit.
        """
        known = [*place.visited, *([] if place.visiting is None else [place.visiting])]
        for index, task in enumerate(tasks[: max(known, default=-1) + 1]):
            self._tasks.require(index, task)
        state = RunState.from_tensors(tensors, methods=self.methods)
        self._untold = [] if place.digests else list(range(max(len(self._spec.tasks), *(task + 1 for task in known), 0)))
        self._visited, self._seen = place.visited, sorted(place.visited)
        self._constraints.latest_task, self._constraints.weights = state.latest_task, state.weights
        self._largest_share = state.largest_share
        for kind, learner in self._learners.items():
            learner.load_state(state.learners[kind], in_visit=place.step > 0)
        if place.step > 0:
            self._stopping = new_stopping(self._spec.method)
        if self._stopping is not None:
            self._stopping.load_state(state.stopping)

    def files(self) -> Mapping[str, Path]:
        """Nothing lies beside the state."""
        return {}

    def point_kept(self) -> None:
        """The constraints made so far are stored, too: they need not be in memory."""
        self._constraints.let_go()

    def blamed(self, error: BaseException) -> EwcError | None:
        """The error of a plug-in's network, if it raised this one."""
        return failed_in(self._learners[self._method].network, error)

    def _start_visit(self) -> None:
        for learner in self._learners.values():
            learner.start_visit()
        self._largest_share = None
        self._stopping = new_stopping(self._spec.method)

    def _step(self, visit: Visit, step: int, *, measure: bool) -> dict[str, float]:
        losses, indices = {}, self._batches.at(step)
        own = self._tasks.segment(visit.task_index, indices, seen=self._seen)
        for kind, learner in self._learners.items():
            segments = [own]
            if kind == "joint":
                segments += [self._tasks.segment(task, shuffled.at(step), seen=self._seen) for task, shuffled in self._others]
            if kind == "dropout":
                reseed_dropout(learner.network, generator(self._spec.seed, "dropout", visit.index, step))
            try:
                losses[kind] = learner.step(segments, measure=self._informing.share if measure else None)
            except NonFiniteError as error:
                raise self._diverged(kind, visit, step + 1, str(error)) from error
            if measure and learner.penalty_share is not None and kind == self._method:
                self._largest_share = max(learner.penalty_share, self._largest_share or 0.0)
        return losses

    def _note_epoch(self, step: int) -> None:
        if self._stopping is None or step % self._batches.steps_per_epoch != 0:
            return
        learner = self._learners[self._method]
        scores = self._tasks.scores(learner.network, self._seen, split="validation")
        if scores:
            self._stopping.note_epoch(sum(scores.values()) / len(scores), learner.parameters.values)

    def _require_finite(self, visit: Visit) -> None:
        for kind, learner in self._learners.items():
            if not learner.is_finite():
                raise self._diverged(kind, visit, self._num_done, "a parameter is NaN or infinite")

    def _diverged(self, kind: str, visit: Visit, step: int, what: str) -> NonFiniteError:
        return NonFiniteError(
            f"method {kind!r}, visit {visit.index} (task {visit.task.title!r}), step {step}: {what}; "
            "try a smaller learning_rate, penalty_step 'proximal' or a smaller ewc_lambda"
        )
