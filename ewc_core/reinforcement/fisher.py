"""The Fisher diagonal of a Q-network, from a task's own replay.

The data loss of an agent is a mean over the minibatch of ½ δ², so with N(Q, 1) as likelihood and a Fisher that is a mean over
examples of per-example squares, `ewc_lambda` is on the scale of a mean loss. The paper's 400 stands beside a loss summed over
32 examples, which makes it 12.5 beside a mean (paper.md 1.5).
"""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ewc_core.fisher import fisher_steps
from ewc_core.fisher.info import FISHER_SCALE, FisherInfo
from ewc_core.generators import passed_on
from ewc_core.networks.q_network import shared_names
from ewc_core.reinforcement.replay import Replay
from ewc_core.reinforcement.td import double_dqn_targets, td_loss
from ewc_core.seeding import derive_seed, generator
from ewc_core.specs.agent import AgentSpec, QFisherSpec
from ewc_core.specs.datasets import LikelihoodName
from ewc_core.specs.method import FisherEstimator

FisherProgress = Generator[tuple[int, int], None, dict[str, Tensor]]


def q_fisher_steps(network: nn.Module, replay: Replay, spec: QFisherSpec, *, agent: AgentSpec, seed: int) -> FisherProgress:
    """F on `spec.num_minibatches` · `agent.batch_size` transitions drawn from the replay; see `QFisherSpec` for each kind.

    gaussian_all_actions: F = E_s Σ_a (∂Q(s,a)/∂θ)², unbiased from one random sign per action. gaussian_taken:
    F = E (∂Q(s,a)/∂θ)². policy: F = E_s Σ_a π_a (∂ log π_a/∂θ)², π = softmax(Q/τ), exact. All of them per example.
    td_minibatch: F = E_batch (∂ mean TD loss/∂θ)², with the network as its own target.

    Yields (examples done, examples), and returns F by parameter name: 0 for biases and gains, which belong to the task
    alone. The network and its gradients are left as they were.
    """
    num_examples = spec.num_minibatches * agent.batch_size
    streams, entries = replay.draw(num_examples, generator(seed, "examples"))

    def read(start: int, stop: int) -> tuple[Tensor, Tensor]:
        batch = replay.read(streams[start:stop], entries[start:stop])
        if spec.kind != "gaussian_taken":
            return batch.states, batch.actions
        with torch.no_grad():
            values: Tensor = network(batch.states).double()
        # The score of N(Q, 1) at the target Q − e_a is e_a: the seed that picks the action taken.
        values[torch.arange(len(values)), batch.actions] -= 1.0
        return batch.states, values

    if spec.kind == "td_minibatch":
        fisher = yield from _minibatches(network, replay, spec, agent, streams, entries)
    else:
        estimator, likelihood = _estimator(spec)
        select = (lambda values: values / spec.temperature) if spec.kind == "policy" else None
        steps = fisher_steps(
            network,
            read,
            num_examples,
            estimator=estimator,
            likelihood=likelihood,
            select=select,
            seed=derive_seed(seed, "signs"),
        )
        fisher = yield from passed_on(steps, lambda num_done: (num_done, num_examples))
    shared = shared_names(network)
    return {name: tensor if name in shared else torch.zeros_like(tensor) for name, tensor in fisher.items()}


def q_fisher_info(spec: QFisherSpec, num_examples: int, seed: int) -> FisherInfo:
    """What a constraint says about a Fisher made by `q_fisher_steps`."""
    if spec.kind == "td_minibatch":
        return FisherInfo("td_minibatch", "none", num_examples, seed, scale="mean over minibatches of squared mean gradients")
    estimator, likelihood = _estimator(spec)
    name = "taken_action" if spec.kind == "gaussian_taken" else estimator.value
    return FisherInfo(name, likelihood.value, num_examples, seed, scale=FISHER_SCALE)


def _estimator(spec: QFisherSpec) -> tuple[FisherEstimator, LikelihoodName]:
    if spec.kind == "policy":
        return FisherEstimator.EXACT, LikelihoodName.CATEGORICAL
    taken = spec.kind == "gaussian_taken"
    return FisherEstimator.EMPIRICAL if taken else FisherEstimator.RADEMACHER, LikelihoodName.GAUSSIAN


def _minibatches(
    network: nn.Module,
    replay: Replay,
    spec: QFisherSpec,
    agent: AgentSpec,
    streams: NDArray[np.int64],
    entries: NDArray[np.int64],
) -> FisherProgress:
    named = dict(network.named_parameters())
    sums = {name: torch.zeros_like(parameter, dtype=torch.float64) for name, parameter in named.items()}
    for number in range(spec.num_minibatches):
        part = slice(number * agent.batch_size, (number + 1) * agent.batch_size)
        batch = replay.read(streams[part], entries[part])
        with torch.no_grad():
            following = network(batch.next_states)
        targets = double_dqn_targets(batch.rewards, batch.continues, following, following, discount=agent.discount)
        loss = td_loss(network(batch.states), batch.actions, targets, td_clip=agent.td_clip)
        for name, gradient in zip(named, torch.autograd.grad(loss, list(named.values())), strict=True):
            sums[name] += gradient.double().square()
        yield (number + 1) * agent.batch_size, spec.num_minibatches * agent.batch_size
    return {name: (total / spec.num_minibatches).to(named[name].dtype) for name, total in sums.items()}
