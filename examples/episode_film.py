"""What a game job's agent does in an old task: left as it was when the task was first left, right as it is at the end.

python -m examples.episode_film JOB TASK [--out film.gif] [--steps 300]

TASK is the task's index. Asks the service that the `ewc` commands ask; writes an animated GIF.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from ewc_client import EWCClient
from ewc_client.checkpoints import Checkpoint
from ewc_core.networks.q_network import build_q_network, shared_names
from ewc_core.reinforcement.games import frames_of
from ewc_core.reinforcement.video import RecordedEpisode, record_episode, side_by_side, to_gif
from ewc_core.specs import ReinforcementSpec


def main() -> None:
    """Fetch, play, write."""
    parser = argparse.ArgumentParser(prog="python -m examples.episode_film", description=__doc__)
    parser.add_argument("job")
    parser.add_argument("task", type=int)
    parser.add_argument("--out", type=Path, default=Path("film.gif"))
    parser.add_argument("--steps", type=int, default=300, help="longest episode shown, in agent steps (default: %(default)s)")
    arguments = parser.parse_args()
    with EWCClient() as client:
        job = client.jobs.get(arguments.job)
        if job.kind != "reinforcement":
            parser.error(f"job {job.id} is of kind {job.kind!r}; a film needs a reinforcement job")
        spec = ReinforcementSpec.model_validate(job.spec)
        kept = sorted(job.checkpoints(), key=lambda checkpoint: checkpoint.visit_index)
        of_task = [checkpoint for checkpoint in kept if checkpoint.task_index == arguments.task]
        at_end = [checkpoint for checkpoint in kept if checkpoint.method == spec.method.kind]
        if not of_task or not at_end:
            parser.error(f"job {job.id} has no checkpoint of task {arguments.task} yet; tasks with one: {_tasks(kept)}")
        before, own, latest = (_weights(one) for one in (of_task[0], of_task[-1], at_end[-1]))
    title = spec.tasks[arguments.task].title if arguments.task < len(spec.tasks) else f"task {arguments.task}"
    left, right = (_episode(spec, arguments.task, *pair, steps=arguments.steps) for pair in ((before, before), (latest, own)))
    arguments.out.write_bytes(to_gif(side_by_side(left.pictures, right.pictures)))
    print(f"{title}: total reward {left.total_reward:g} when it was first left, {right.total_reward:g} at the end")
    print(f"written to {arguments.out}")


def _tasks(checkpoints: list[Checkpoint]) -> str:
    return ", ".join(map(str, sorted({checkpoint.task_index for checkpoint in checkpoints}))) or "none"


def _weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    with tempfile.TemporaryDirectory() as folder:
        tensors = load_file(checkpoint.download(Path(folder) / "checkpoint.safetensors"))
    return {name.removeprefix("anchor."): tensor for name, tensor in tensors.items() if name.startswith("anchor.")}


def _episode(
    spec: ReinforcementSpec, task: int, shared: Mapping[str, Tensor], own: Mapping[str, Tensor], *, steps: int
) -> RecordedEpisode:
    """One episode with the shared weights of one checkpoint and the biases and gains of another."""
    frames = frames_of(spec.tasks)
    network = build_q_network(
        spec.network,
        input_shape=(spec.agent.history, *frames.shape),
        num_actions=frames.num_actions,
        generator=torch.Generator(),
    )
    names = shared_names(network)
    network.load_state_dict({name: shared[name] if name in names else own[name] for name in own})
    q_values: Callable[[Tensor], Tensor] = network
    return record_episode(
        spec.tasks[task],
        q_values,
        history=spec.agent.history,
        num_actions=frames.num_actions,
        exploration_epsilon=spec.evaluation.exploration_epsilons[0],
        max_steps=steps,
    )


if __name__ == "__main__":
    main()
