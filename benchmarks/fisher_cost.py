"""What the Fisher costs, in plain training steps over the same examples: ours, BackPACK, vmap, and a one-example loop.

One thread. A plain step is the forward and backward pass of the mean loss at batch 128, without the optimiser. Within a
round every contender runs once, one after the other; a contender's seconds are the smallest over the rounds, because what
other processes of the machine add is never negative. Slow contenders run on fewer examples and are scaled up.
"""

from __future__ import annotations

import copy
import importlib
import multiprocessing
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from ewc_core.fisher import fisher
from ewc_core.likelihoods import mean_loss
from ewc_core.seeding import generator
from ewc_core.specs import FisherEstimator, LikelihoodName

BATCH_SIZE = 128
EXACT, EMPIRICAL = FisherEstimator.EXACT, FisherEstimator.EMPIRICAL
RADEMACHER, SAMPLED = FisherEstimator.RADEMACHER, FisherEstimator.SAMPLED


@dataclass(frozen=True)
class Case:
    """A network and examples; `num_slow` examples are for the slow contenders."""

    name: str
    network: nn.Module
    inputs: Tensor
    targets: Tensor
    likelihood: LikelihoodName
    num_slow: int

    def first(self, num_examples: int) -> Case:
        """The same with fewer examples."""
        few = self.inputs[:num_examples], self.targets[:num_examples]
        return Case(self.name, self.network, *few, self.likelihood, self.num_slow)


def mlp(width: int) -> Case:
    """784-width-width-10, categorical."""
    network = nn.Sequential(nn.Linear(784, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 10))
    inputs = torch.rand(1024, 784, generator=generator(0, "inputs"))
    targets = torch.randint(10, (1024,), generator=generator(0, "targets"))
    return Case(f"784-{width}-{width}-10", network, inputs, targets, LikelihoodName.CATEGORICAL, 32)


def dqn() -> Case:
    """The standard DQN network with 18 outputs, Gaussian."""
    layers = [nn.Conv2d(4, 32, 8, 4), nn.ReLU(), nn.Conv2d(32, 64, 4, 2), nn.ReLU(), nn.Conv2d(64, 64, 3, 1), nn.ReLU()]
    network = nn.Sequential(*layers, nn.Flatten(), nn.Linear(3136, 512), nn.ReLU(), nn.Linear(512, 18))
    inputs = torch.rand(256, 4, 84, 84, generator=generator(0, "inputs"))
    targets = torch.randn(256, 18, generator=generator(0, "targets"))
    return Case("DQN, 18 outputs", network, inputs, targets, LikelihoodName.GAUSSIAN, 8)


class LastState(nn.Module):
    """A recurrent layer over rows of an image, 28 to 128, and a Linear on its last state. vmap cannot run the library's."""

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(128, 10)

    def forward(self, inputs: Tensor) -> Tensor:
        """Inputs [n, 28, 28] to logits [n, 10]."""
        logits: Tensor = self.head(self.layer(inputs)[0][:, -1])
        return logits


def recurrent(kind: type[nn.GRU | nn.LSTM]) -> Case:
    """A GRU or LSTM, categorical."""
    inputs = torch.rand(256, 28, 28, generator=generator(0, "inputs"))
    targets = torch.randint(10, (256,), generator=generator(0, "targets"))
    network = LastState(kind(28, 128, batch_first=True))
    return Case(f"{kind.__name__} 28-128", network, inputs, targets, LikelihoodName.CATEGORICAL, 32)


CASES: tuple[Callable[[], Case], ...] = (
    partial(mlp, 400),
    partial(mlp, 2000),
    dqn,
    partial(recurrent, nn.GRU),
    partial(recurrent, nn.LSTM),
)


def plain_steps(case: Case) -> None:
    """Forward and backward passes over all examples, batch by batch."""
    for start in range(0, len(case.inputs), BATCH_SIZE):
        case.network.zero_grad()
        outputs = case.network(case.inputs[start : start + BATCH_SIZE])
        mean_loss(case.likelihood, outputs, case.targets[start : start + BATCH_SIZE]).backward()


def ours(case: Case, estimator: FisherEstimator) -> dict[str, Tensor]:
    """The engine under test, as anyone would call it."""
    return fisher(case.network, case.inputs, case.targets, estimator=estimator, likelihood=case.likelihood)


def vmap_empirical(case: Case) -> None:
    """Per-example gradients of the observed target by vmap, squared and summed."""
    parameters = {name: parameter.detach() for name, parameter in case.network.named_parameters()}

    def loss(values: dict[str, Tensor], example: Tensor, target: Tensor) -> Tensor:
        outputs = functional_call(case.network, values, (example.unsqueeze(0),))
        return mean_loss(case.likelihood, outputs, target.unsqueeze(0))

    sums = {name: torch.zeros_like(value) for name, value in parameters.items()}
    for start in range(0, len(case.inputs), 8):
        gradients = vmap(grad(loss), in_dims=(None, 0, 0))(
            parameters, case.inputs[start : start + 8], case.targets[start : start + 8]
        )
        for name, gradient in gradients.items():
            sums[name] += gradient.square().sum(0)


def loop(case: Case, estimator: FisherEstimator) -> None:
    """One backward pass per example (empirical), or per example and output (exact)."""
    parameters = list(case.network.parameters())
    sums = [torch.zeros_like(parameter) for parameter in parameters]
    for index in range(len(case.inputs)):
        outputs = case.network(case.inputs[index : index + 1])
        if estimator is EMPIRICAL:
            scores = [mean_loss(case.likelihood, outputs, case.targets[index : index + 1])]
        elif case.likelihood is LikelihoodName.GAUSSIAN:
            scores = list(outputs[0])
        else:
            log_p = outputs.log_softmax(1)[0]
            scores = list(log_p * (log_p.detach() / 2).exp())
        for score in scores:
            for total, gradient in zip(sums, torch.autograd.grad(score, parameters, retain_graph=True), strict=True):
                total += gradient.square()


def backpack(case: Case, estimator: FisherEstimator) -> Callable[[], None] | None:
    """BackPACK on the same batches, or None where the package is not installed, or cannot do with the network.

    Exact: its diagonal of the generalised Gauss-Newton matrix; else its sum of squared gradients (of the observed
    target), or for `sampled` its Monte-Carlo diagonal with one label.
    """
    if isinstance(case.network, LastState):  # it knows no module but torch's own
        return None
    try:
        package, extensions = importlib.import_module("backpack"), importlib.import_module("backpack.extensions")
    except ImportError:
        return None
    extension = {
        EXACT: lambda: extensions.DiagGGNExact(),
        SAMPLED: lambda: extensions.DiagGGNMC(mc_samples=1),
        EMPIRICAL: lambda: extensions.SumGradSquared(),
    }[estimator]
    gaussian = case.likelihood is LikelihoodName.GAUSSIAN
    loss = nn.MSELoss(reduction="sum") if gaussian else nn.CrossEntropyLoss(reduction="sum")
    network = package.extend(copy.deepcopy(case.network))  # it hooks every layer, and nobody else is to pay for that
    criterion = package.extend(loss)

    def run() -> None:
        for start in range(0, len(case.inputs), BATCH_SIZE):
            network.zero_grad()
            value = criterion(network(case.inputs[start : start + BATCH_SIZE]), case.targets[start : start + BATCH_SIZE])
            with package.backpack(extension()), warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="Full backward hook is firing", category=UserWarning)
                value.backward()

    return run


def contenders(case: Case) -> dict[str, tuple[Callable[[], object], float]]:
    """By name: what to run, and by how much to scale its seconds up to all examples."""
    whole = {f"ours {kind.value}": (lambda kind=kind: ours(case, kind), 1.0) for kind in (EXACT, SAMPLED, RADEMACHER, EMPIRICAL)}
    few, scale = case.first(case.num_slow), len(case.inputs) / case.num_slow
    batch, batches = case.first(BATCH_SIZE), len(case.inputs) / BATCH_SIZE
    theirs = {f"BackPACK {kind.value}": (backpack(batch, kind), batches) for kind in (EXACT, SAMPLED, EMPIRICAL)}
    return {
        "plain": (lambda: plain_steps(case), 1.0),
        **whole,
        **({} if isinstance(case.network, LastState) else {"vmap empirical": (lambda: vmap_empirical(few), scale)}),
        "loop empirical": (lambda: loop(few, EMPIRICAL), scale),
        "loop exact": (lambda: loop(case.first(case.num_slow // 4), EXACT), 4 * scale),
        **{name: (run, scale) for name, (run, scale) in theirs.items() if run is not None},
    }


def measure_case(case: Case, num_rounds: int, only: str = "") -> dict[str, float]:
    """Ratios to the plain step by contender, and under "plain seconds" its own."""
    runs = {name: run for name, run in contenders(case).items() if name == "plain" or only in name}
    seconds = dict.fromkeys(runs, float("inf"))
    for _ in range(num_rounds):
        for name, (run, scale) in runs.items():
            started = time.thread_time()
            run()
            seconds[name] = min(seconds[name], scale * (time.thread_time() - started))
    ratios = {name: value / seconds["plain"] for name, value in seconds.items() if name != "plain"}
    return {"plain seconds": seconds["plain"], **ratios}


def extra_mebibytes(case: Case, estimator: FisherEstimator) -> float:
    """How far the process's resident memory rises above what it was, at most, while the Fisher is computed."""
    pages, stop, highest = Path("/proc/self/statm"), threading.Event(), [0]

    def resident() -> int:
        return int(pages.read_text().split()[1]) * 4096

    def watch() -> None:
        while not stop.wait(0.002):
            highest[0] = max(highest[0], resident())

    before = resident()
    watcher = threading.Thread(target=watch)
    watcher.start()
    ours(case, estimator)
    stop.set()
    watcher.join()
    return max(0, highest[0] - before) / 2**20


def extra_mebibytes_of(index: int) -> float:
    """`extra_mebibytes` of case number `index`, exact; for a process that has not computed a Fisher before."""
    torch.set_num_threads(1)
    case = CASES[index]()
    plain_steps(case.first(BATCH_SIZE))
    return extra_mebibytes(case, EXACT)


def measure(num_rounds: int = 5) -> dict[str, Any]:
    """Ratios and peak extra memory (MiB) of every case. Memory in a fresh process each: a used one has some to spare."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    results: dict[str, Any] = {}
    for index, make in enumerate(CASES):
        case = make()
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as fresh:
            memory = fresh.submit(extra_mebibytes_of, index).result()
        results[case.name] = {"peak extra MiB, exact": memory, **measure_case(case, num_rounds)}
    return results


def run() -> dict[str, Any]:
    """Measure and print a table of ratios."""
    results = measure()
    print("seconds in units of one plain forward and backward pass over the same examples (batch 128, one thread)")
    print(f"{'':24}" + "".join(f"{name:>20}" for name in results))
    for row in next(iter(results.values())):
        print(f"{row:24}" + "".join(f"{result.get(row, float('nan')):20.2f}" for result in results.values()))
    return results
