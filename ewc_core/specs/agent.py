"""How a Double DQN learns: the values of table S2 as the preset "paper", and "small" for CPUs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ewc_core.specs.base import Spec, refuse
from ewc_core.specs.network import Size

Count = Annotated[int, Field(ge=1, le=10**12)]

_PAPER: dict[str, Any] = {
    "exploration": {"initial": 1.0, "final": 0.01, "start_steps": 50_000, "end_steps": 1_050_000},
    "replay_memory_bytes": 16 * 2**30,
}
_SMALL: dict[str, Any] = {
    "history": 1,
    "optimiser": "adam",
    "learning_rate": 1e-3,
    "rms_decay": None,
    "rms_eps": None,
    "max_gradient_norm": 10.0,
    "replay_capacity": 20_000,
    "target_update_period": 400,
    "min_history": 400,
    "exploration": {"initial": 1.0, "final": 0.02, "start_steps": 400, "end_steps": 6_000},
    "num_envs": 8,
}
_PRESETS = {"paper": _PAPER, "small": _SMALL}


class ExplorationSpec(Spec):
    """The probability of a random action, by the agent steps made in a task: `initial` for `start_steps`, then falling
    linearly to `final` at `end_steps`. Every task has a timer of its own."""

    initial: float = Field(default=1.0, ge=0.0, le=1.0)
    final: float = Field(default=0.01, ge=0.0, le=1.0)
    start_steps: int = Field(default=50_000, ge=0, le=10**12)
    end_steps: int = Field(default=1_050_000, ge=0, le=10**12)

    @model_validator(mode="after")
    def _falls(self) -> ExplorationSpec:
        if self.end_steps < self.start_steps:
            raise ValueError(f"end_steps {self.end_steps} comes before start_steps {self.start_steps}")
        return self


class AgentSpec(Spec):
    """Hyper-parameters of the agent; defaults are the paper's (table S2), and fields that are given win over the preset.

    Lengths are agent steps, summed over the `num_envs` copies of the environment that it plays in side by side.
    `replay_period` is the number of agent steps per update. The TD error enters with at most ±`td_clip`, the loss is a mean
    over the minibatch; then the gradient's norm is cut to `max_gradient_norm`. `rmsprop_centred` has its `rms_eps` inside
    the root; 0.01 / 32² belongs to a mean over 32 where the paper's code sums. `replay_capacity` counts the transitions
    kept per task, `replay_memory_bytes` bounds the replays of all tasks and of all agents of a job together.
    """

    preset: Literal["paper", "small"] | None = None
    history: int = Field(default=4, ge=1, le=16, description="frames that the network sees at once")
    batch_size: int = Field(default=32, ge=1, le=4096)
    replay_period: Count = 4
    discount: float = Field(default=0.99, ge=0.0, lt=1.0, description="what a reward one step later is worth")
    reward_clip: Annotated[float, Field(gt=0.0)] | None = 1.0
    optimiser: Literal["rmsprop_centred", "adam"] = "rmsprop_centred"
    learning_rate: float = Field(default=2.5e-4, gt=0.0, le=1.0, description="step size of the optimiser")
    rms_decay: Annotated[float, Field(gt=0.0, lt=1.0)] | None = 0.95
    rms_eps: Annotated[float, Field(gt=0.0, le=1.0)] | None = 0.01 / 32**2
    td_clip: float = Field(default=1.0, gt=0.0)
    max_gradient_norm: Annotated[float, Field(gt=0.0)] | None = 50.0
    replay_capacity: int = Field(default=50_000, ge=2, le=10**9)
    replay_memory_bytes: int = Field(default=2 * 2**30, ge=1, le=2**50)
    target_update_period: Count = 7_500
    min_history: Count = 50_000
    exploration: ExplorationSpec = ExplorationSpec()
    num_envs: int = Field(default=1, ge=1, le=256)

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, given: Any) -> Any:
        preset = _PRESETS.get(str(given.get("preset"))) if isinstance(given, dict) else None
        if preset is None:
            return given
        filled = {**preset, **given}
        if filled.get("optimiser") == "rmsprop_centred":
            filled = {name: value for name, value in filled.items() if not (name.startswith("rms_") and value is None)}
        return filled

    @model_validator(mode="after")
    def _values_belong_together(self) -> AgentSpec:
        needed = {"rms_decay": self.rms_decay, "rms_eps": self.rms_eps} if self.optimiser == "rmsprop_centred" else {}
        refuse(
            *(f"{name} is needed by optimiser 'rmsprop_centred'" for name, value in needed.items() if value is None),
            f"min_history {self.min_history} is more than replay_capacity {self.replay_capacity}: learning would never begin"
            if self.min_history > self.replay_capacity
            else None,
            f"num_envs {self.num_envs} leaves less than two transitions each of replay_capacity"
            if self.num_envs > self.replay_capacity // 2
            else None,
        )
        return self


class QMLPSpec(Spec):
    """Fully connected ReLU network of `hidden_sizes` on the flattened stack of frames."""

    kind: Literal["mlp"]
    hidden_sizes: list[Size] = Field(default=[100, 100], min_length=1, max_length=8)


class QConvSpec(Spec):
    """One 3x3 convolution of `channels`, then a fully connected layer of `hidden_size`: for small grids such as MinAtar's."""

    kind: Literal["conv"]
    channels: int = Field(default=16, ge=1, le=1024)
    hidden_size: Size = 128


DQN_SIZES = {"standard": ((32, 64, 64), 512), "paper": ((32, 64, 128), 1024)}
"""Feature maps of the three convolutions, and units."""


class DQNNetworkSpec(Spec):
    """For 84x84 frames. "standard": convolutions 32, 64, 64 and 512 units (Mnih et al. 2015); "paper": 32, 64, 128 and 1024."""

    kind: Literal["dqn"]
    size: Literal["standard", "paper"] = "paper"


QNetworkSpec = Annotated[QMLPSpec | QConvSpec | DQNNetworkSpec, Field(discriminator="kind")]


class QFisherSpec(Spec):
    """How the Fisher of a Q-network is estimated, on `num_minibatches` minibatches of the task's own replay.

    `gaussian_all_actions`: E_s Σ_a (∂Q(s,a)/∂θ)², that of N(Q(s, ·), 1), with random signs in one backward pass.
    `gaussian_taken`: E (∂Q(s,a)/∂θ)² for the action that was taken. `td_minibatch`: the squared gradient of a minibatch's
    mean TD loss, averaged over minibatches, as the paper may be read; it shrinks with the batch size and vanishes with the TD
    error. `policy`: that of softmax(Q / `temperature`).
    """

    kind: Literal["gaussian_all_actions", "gaussian_taken", "td_minibatch", "policy"] = "gaussian_all_actions"
    num_minibatches: int = Field(default=100, ge=1, le=100_000)
    temperature: float = Field(default=1.0, gt=0.0, le=1e6, description="policy only")

    @model_validator(mode="after")
    def _temperature_belongs_to_policy(self) -> QFisherSpec:
        if self.temperature != 1.0 and self.kind != "policy":
            raise ValueError(
                f"temperature {self.temperature} has no effect with kind {self.kind!r}; use 'policy' or leave it out"
            )
        return self


def replay_margin(capacity_per_stream: int) -> int:
    """Entries that a stream keeps beyond its capacity, so that a resume point stays good while it goes on."""
    return max(256, capacity_per_stream // 8)


def replay_bytes(agent: AgentSpec, *, frame_bytes: int) -> int:
    """Bytes of the replay of one task of one agent: every frame once, 7 bytes beside it."""
    per_stream = -(-agent.replay_capacity // agent.num_envs)
    return agent.num_envs * (per_stream + replay_margin(per_stream)) * (frame_bytes + 7)


def check_replay_memory(agent: AgentSpec, *, frame_bytes: int, num_tasks: int, num_agents: int) -> None:
    """Check that a replay for every task of every agent fits into the bound.

    Raises:
        ValueError: it does not; the message has the numbers.
    """
    each = replay_bytes(agent, frame_bytes=frame_bytes)
    total = each * num_tasks * num_agents
    if total > agent.replay_memory_bytes:
        raise ValueError(
            f"agent.replay_memory_bytes: {num_tasks} tasks of {num_agents} agents with a replay of {each} bytes each need "
            f"{total} bytes, more than the {agent.replay_memory_bytes} allowed; lower agent.replay_capacity (now "
            f"{agent.replay_capacity}), leave out controls, or raise the bound"
        )
