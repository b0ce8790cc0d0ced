"""Tasks that are games: environments that an agent plays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, field_validator, model_validator

from ewc_core.metrics.scores import ScoreName
from ewc_core.specs.atari_games import ATARI_GAMES, RANDOM_AND_HUMAN
from ewc_core.specs.base import Spec, require_all
from ewc_core.specs.hints import meant
from ewc_core.specs.plugins import Options, plugin_packages
from ewc_core.specs.tasks import TaskName

CATCH = "ewc/Catch-v0"
MINATAR = "MinAtar/"
MINATAR_CHANNELS = 10
ENVIRONMENT_PLUGINS = "gymnasium.envs"  # the entry point group


class Reference(Spec):
    """What random play and a reference player (a human, an independent agent) reach in a game."""

    random: float
    human: float

    def normalised(self, mean_return: float) -> float:
        """h = (return − random) / (human − random): 0 for random play, 1 for the reference player. Not clipped."""
        return (mean_return - self.random) / (self.human - self.random)

    @model_validator(mode="after")
    def _ends_differ(self) -> Reference:
        if self.human <= self.random:
            raise ValueError(f"human {self.human} must be more than random {self.random}")
        return self


@dataclass(frozen=True)
class KnownEnvironment:
    """What is known of an environment without opening it."""

    frame_shape: tuple[int, ...]
    frame_bytes: int
    reference: Reference | None


# Catch: the ball falls into one of 5 columns, evenly; 9 random moves of a paddle that starts in the middle end below it with
# probability 1/5 (by symmetry of the ball alone), so random play has 1/5 - 4/5. CartPole: random play over 10 000 episodes
# has 22.2; 475 is where gymnasium calls it solved. Acrobot: random play hardly ever ends before 500 steps; -100 is solved.
KNOWN: dict[str, KnownEnvironment] = {
    CATCH: KnownEnvironment((10, 5), 50, Reference(random=-0.6, human=1.0)),
    "CartPole-v1": KnownEnvironment((4,), 16, Reference(random=22.2, human=475.0)),
    "Acrobot-v1": KnownEnvironment((6,), 24, Reference(random=-499.0, human=-100.0)),
}
# Rewards of Atari games and of most others can be negative. FrozenLake and CartPole pay nothing or 1 a step, unless options
# change it; the games of MinAtar pay for what is reached and never take anything away.
_NEVER_NEGATIVE = frozenset({"CartPole-v0", "CartPole-v1", "FrozenLake-v1", "FrozenLake8x8-v1"})
_ATARI = (84, 84)
_MINATAR = (MINATAR_CHANNELS, 10, 10)


class _Game(Spec):
    """What every game says of itself."""

    if TYPE_CHECKING:
        reference: Reference | None

    @property
    def reference_scores(self) -> Reference | None:
        """The given reference."""
        return self.reference

    @property
    def needed_dataset(self) -> None:
        """Games need no data."""
        return

    @property
    def score_name(self) -> ScoreName:
        """Returns, on the scale of a reference where there is one."""
        return "return" if self.reference_scores is None else "normalised"


class AtariTask(_Game):
    """An Atari game on the emulator: 84x84 grey frames, the larger of the last two of every `action_repeat` frames, all 18
    actions, up to `no_op_max` no-ops at the start of an episode.

    With `lost_life_ends` values are not bootstrapped over the loss of a life while training; evaluation always plays whole
    games. `repeat_action_probability` makes actions stick. `reference` replaces the built-in human scores.
    """

    kind: Literal["atari"]
    name: TaskName | None = None
    game: Annotated[str, Field(min_length=1, max_length=64)]
    action_repeat: int = Field(default=4, ge=1, le=16)
    no_op_max: int = Field(default=30, ge=0, le=1000)
    max_episode_frames: int = Field(default=108_000, ge=1, le=10**7)
    lost_life_ends: bool = True
    repeat_action_probability: float = Field(default=0.0, ge=0.0, le=1.0)
    reference: Reference | None = None

    @property
    def title(self) -> str:
        """The given name, or the game's."""
        return self.name or self.game

    @property
    def reference_scores(self) -> Reference | None:
        """The given reference, or the built-in one of 57 games."""
        known = RANDOM_AND_HUMAN.get(self.game)
        return self.reference or (None if known is None else Reference(random=known[0], human=known[1]))

    @property
    def is_never_negative(self) -> bool:
        """Rewards may be negative."""
        return False

    @field_validator("game")
    @classmethod
    def _is_a_game(cls, game: str) -> str:
        if game not in ATARI_GAMES:
            near = meant(game, ATARI_GAMES)
            hint = f"; did you mean {', '.join(near)}?" if near else ""
            raise ValueError(
                f"there is no Atari game {game!r}{hint} (the {len(ATARI_GAMES)} games are named like 'space_invaders')"
            )
        return game


class GymnasiumTask(_Game):
    """Any environment of gymnasium with discrete actions and array observations, by its id: gymnasium's own, and those of
    installed packages with entry points `gymnasium.envs`.

    `permutation` 0 leaves it as it is; any other value shuffles the entries of its observations and its actions, each by one
    fixed permutation, the same in every job: to control what permuted pixels are to classification. `options` go to
    `gymnasium.make`. Ids that begin with "MinAtar/" need the package minatar; their frames are padded to 10 channels, so
    that one network can play them all. `reference` gives scores a scale.
    """

    kind: Literal["gymnasium"]
    name: TaskName | None = None
    id: Annotated[str, Field(min_length=1, max_length=128)]
    permutation: int = Field(default=0, ge=0, le=2**31 - 1)
    max_episode_steps: Annotated[int, Field(ge=1, le=10**7)] | None = None
    options: Options = Field(default={}, max_length=16)
    reference: Reference | None = None

    @field_validator("id")
    @classmethod
    def _imports_only_what_offers_environments(cls, name: str) -> str:
        module = name.rpartition(":")[0]
        offering = plugin_packages(ENVIRONMENT_PLUGINS)
        if module and module.partition(".")[0] not in offering:
            raise ValueError(
                f"id {name!r} names a module to import, which only a package with entry points {ENVIRONMENT_PLUGINS!r} may be; "
                f"installed: {', '.join(offering) or 'none'}"
            )
        return name

    @property
    def title(self) -> str:
        """The given name, or one made of the id and the permutation."""
        return self.name or (self.id + (f"-permutation-{self.permutation}" if self.permutation else ""))[:64]

    @property
    def reference_scores(self) -> Reference | None:
        """The given reference, or the built-in one of a few environments at their usual length."""
        known = KNOWN.get(self.id) if self.max_episode_steps is None and not self.options else None
        return self.reference or (None if known is None else known.reference)

    @property
    def is_never_negative(self) -> bool:
        """Whether it is known that no episode can have a negative return, however it is played."""
        return self.id.startswith(MINATAR) or (self.id in _NEVER_NEGATIVE and not self.options)


EnvironmentSpec = Annotated[AtariTask | GymnasiumTask, Field(discriminator="kind")]


def frame_shape(task: EnvironmentSpec) -> tuple[int, ...] | None:
    """Shape of one frame, as far as the spec alone says."""
    if isinstance(task, AtariTask):
        return _ATARI
    if task.id.startswith(MINATAR):
        return _MINATAR
    known = KNOWN.get(task.id)
    return None if known is None else known.frame_shape


def frame_bytes(task: EnvironmentSpec) -> int | None:
    """Bytes of one frame, as far as the spec alone says."""
    if isinstance(task, GymnasiumTask) and task.id in KNOWN:
        return KNOWN[task.id].frame_bytes
    shape = frame_shape(task)
    return None if shape is None else math.prod(shape)


def check_environments_fit(tasks: Sequence[EnvironmentSpec]) -> None:
    """Check that one network can play all tasks, as far as the specs alone say.

    Raises:
        ValueError: tasks have frames of different shapes; the message starts with the field. Misfits: several do.
    """
    require_all(*(partial(_require_frames_like_first, tasks[0], task, index) for index, task in enumerate(tasks)))


def _require_frames_like_first(first: EnvironmentSpec, task: EnvironmentSpec, index: int) -> None:
    expected, shape = frame_shape(first), frame_shape(task)
    if expected is not None and shape is not None and shape != expected:
        raise ValueError(
            f"tasks.{index}: {task.title!r} has frames of shape {list(shape)}, the first task {first.title!r} of "
            f"{list(expected)}; one network plays them all"
        )
