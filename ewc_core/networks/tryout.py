"""Running a user's network as a job will, on copies that are thrown away, to find every mistake before hours are spent."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ewc_core.errors import PluginFailed
from ewc_core.networks.guarded import GuardedForward, failed_in, message_start
from ewc_core.networks.hidden_state import hidden_state
from ewc_core.params import FlatParameters
from ewc_core.random_states import random_states
from ewc_core.user_code import users_code

_SHAPES = re.compile(r"\[[\d, ]*\]|\b\d+(?:x\d+)*\b")
_MAX_NAMED = 4
_STEP = 0.01
_NUM_PASSES = 3
"""What one pass over the same inputs may still change, as a cache that is filled, the next ones may not."""


class Tryout:
    """Two equal networks `network`, with its `guard`, and `twin`, both used up; `mistakes` in the user's words."""

    def __init__(self, network: nn.Module, twin: nn.Module, guard: GuardedForward) -> None:
        self.network = network
        self.mistakes: list[str] = []
        self._twin = twin
        self.name = guard.name
        self._guard = guard
        self._noted: set[str] = set()

    def note(self, mistake: str | PluginFailed) -> None:
        """Keep a mistake; one that differs from an earlier one by shapes only is the same."""
        text = str(mistake).removeprefix(message_start(self.name))
        what = _SHAPES.sub("", text.partition(" its forward ")[2] or text)
        if what not in self._noted:
            self._noted.add(what)
            self.mistakes.append(text)

    def run(self, examples: Tensor) -> None:
        """Look for everything that can be seen with `examples` [n, ...], n >= 3: errors, noise, memory, mixed examples."""
        made = dict(self.network.named_parameters()).keys()
        runs = self._is_fine(examples.clone())
        for inputs in (torch.zeros_like(examples), examples[:1]):
            self._is_fine(inputs.clone())
        more = dict(self.network.named_parameters()).keys() - made
        if more:
            what = ", ".join(sorted(more)[:_MAX_NAMED])
            self.note(f"its forward adds parameters: {what}; make all of them when the network is made")
        if more or not runs:
            return
        repeats = [self.repeats(examples, training=training) for training in (True, False)]
        if all(repeats):
            self._require_independent(examples)
        if not self.mistakes:
            self._require_no_memory(examples)
            self._require_gradient(examples)

    def _is_fine(self, inputs: Tensor) -> bool:
        for mode in ("train", "eval"):
            try:
                with users_code(f"its {mode}()", failed=PluginFailed):
                    self.network.train(mode == "train")
                outputs = self._guard.require(inputs, self.network(inputs))
            except PluginFailed as failed:
                self.note(failed)
                return False
            except BaseException as error:
                hook = failed_in(self.network, error)
                if hook is None:
                    raise
                self.note(hook)
                return False
            if not torch.isfinite(outputs).all():
                self.note(f"for inputs of shape {list(inputs.shape)} in {mode} mode its forward returned NaN or infinity")
                return False
        return True

    def repeats(self, examples: Tensor, *, training: bool) -> bool:
        """Whether passes over the same inputs under the same seed agree, bit for bit, and leave nothing behind."""
        mode, num_before = "train" if training else "eval", len(self.mistakes)
        inputs = examples.clone()
        buffers = {key: buffer.clone() for key, buffer in self.network.named_buffers()}
        random_state, others = torch.get_rng_state(), random_states()
        passes, states = [], []
        for _ in range(_NUM_PASSES):
            torch.set_rng_state(random_state)
            passes.append(self._pass(inputs, training=training))
            states.append(hidden_state(self.network))
        if not torch.equal(random_state, torch.get_rng_state()):
            self.note(
                f"in {mode} mode it draws from torch's global generator, which no resume point holds; leave out dropout and "
                "other noise"
            )
        for name, after in random_states().items():
            if after != others[name]:
                self.note(f"in {mode} mode it draws from {name}, which no resume point holds; leave out the noise")
        self._require_same_buffers(buffers, mode)
        changed = [key for key, value in states[-1].items() if states[-2].get(key) != value]
        if changed:
            what = ", ".join(changed[:_MAX_NAMED])
            self.note(
                f"in {mode} mode its forward changes {what} from one pass over the same inputs to the next, which no resume "
                "point holds; leave out counters and random generators of its own"
            )
        elif len(self.mistakes) == num_before and not all(_same(passes[0], other) for other in passes[1:]):
            self.note(
                f"in {mode} mode its outputs, or their gradients, differ from one pass over the same inputs to the next; "
                "leave out noise, and keep nothing from one call to the next"
                if torch.equal(inputs, examples)
                else f"in {mode} mode its forward changes its inputs in place; other networks get the same ones, so copy them"
            )
        return len(self.mistakes) == num_before

    def _pass(self, examples: Tensor, *, training: bool) -> list[Tensor]:
        self.network.train(training)
        outputs = self.network(examples)
        if not (training and outputs.requires_grad):
            return [outputs.detach()]
        try:
            gradients = torch.autograd.grad([outputs.sum()], list(self.network.parameters()), materialize_grads=True)
        except RuntimeError:
            return [outputs.detach()]  # `_require_gradient` tells it
        return [outputs.detach(), *(gradient.to_dense() for gradient in gradients)]

    def _require_same_buffers(self, before: dict[str, Tensor], mode: str) -> None:
        after = dict(self.network.named_buffers())
        changed = sorted(key for key in before.keys() | after.keys() if not _equal(before.get(key), after.get(key)))
        if changed:
            what = "training" if mode == "train" else "its forward in eval mode"
            self.note(
                f"{what} changes its buffers {', '.join(changed)}, which no anchor, Fisher or resume point holds; use GroupNorm "
                "or LayerNorm instead of BatchNorm, or a BatchNorm that stays in eval mode when train() is called"
            )

    def _require_independent(self, examples: Tensor) -> None:
        outputs, fewer = (_call(self.network, some, training=False) for some in (examples, examples[:2]))
        if not torch.allclose(outputs[:2], fewer, rtol=1e-3, atol=1e-4):
            self.note("in eval mode its outputs for an example change with the other examples of the minibatch")

    def _require_no_memory(self, examples: Tensor) -> None:
        """A network that saw other inputs, and had other weights, gives the same outputs: a job that goes on has seen none."""
        both = [FlatParameters(network) for network in (self.network, self._twin)]
        before = both[0].values.clone()
        for flat in both:
            flat.load_flat(before + _STEP)
        for training in (True, False):
            outputs = _call(self.network, examples, training=training)
            _call(self._twin, examples.flip(0)[1:], training=training)
            if not _bits_agree(outputs, _call(self._twin, examples, training=training)):
                self.note(
                    "its outputs depend on what it was called with before, on the weights that it had then, or on a generator "
                    "that no seed reaches; keep nothing from one call to the next"
                )
        for flat in both:
            flat.load_flat(before)

    def _require_gradient(self, examples: Tensor) -> None:
        outputs = _call(self.network, examples, training=False)
        flat = FlatParameters(self.network)
        again = _call(self.network, examples, training=False)
        if not torch.allclose(outputs, again, rtol=1e-3, atol=1e-4):
            self.note("its outputs changed although its parameters did not; keep nothing from one call to the next")
        if not again.requires_grad:
            self.note("its outputs carry no gradient to its parameters")
            return
        try:
            again.sum().backward()  # type: ignore[no-untyped-call]  # untyped in torch
        except BaseException as error:
            failed = failed_in(self.network, error)
            if failed is None:
                raise
            self.note(failed)
            return
        if not torch.isfinite(flat.gradient).all():
            self.note("the gradient of its outputs is not finite")


def _call(network: nn.Module, inputs: Tensor, *, training: bool) -> Tensor:
    network.train(training)  # a user's own need not return the network
    outputs: Tensor = network(inputs.clone())
    return outputs


def _same(one: Sequence[Tensor], other: Sequence[Tensor]) -> bool:
    return len(one) == len(other) and all(_bits_agree(a, b) for a, b in zip(one, other, strict=True))


def _bits_agree(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.contiguous().view(torch.int32), other.contiguous().view(torch.int32))  # NaN equals itself here


def _equal(before: Tensor | None, after: Tensor | None) -> bool:
    return before is not None and after is not None and torch.equal(before, after)
