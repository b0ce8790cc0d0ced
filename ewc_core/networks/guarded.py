"""A plug-in network's forward pass under guard: its errors and wrong outputs are told as the plug-in's, whenever they come."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd.graph import _engine_run_backward

from ewc_core.errors import PluginFailed
from ewc_core.user_code import passed_users_code, told

_MODULE_CALL = nn.Module._call_impl.__code__
_ENGINE = _engine_run_backward.__code__
_BACKWARD = Tensor.backward.__code__


def message_start(name: str) -> str:
    """How messages about a plug-in's network begin."""
    return f"plug-in network {name!r}: "


class GuardedForward:
    """Stands in for `network.forward`; the module stays what it is, with its names and its type."""

    def __init__(self, network: nn.Module, name: str, num_outputs: int) -> None:
        self._network, self._forward, self.name, self._num_outputs = network, network.forward, name, num_outputs

    def __call__(self, inputs: Tensor) -> Tensor:
        """The outputs [n, num_outputs] of inputs [n, ...].

        Raises:
            PluginFailed: the forward raised, or returned something else.
        """
        try:
            outputs = self._forward(inputs)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._failed(inputs, told(error)) from error
        return self.require(inputs, outputs)

    def require(self, inputs: Tensor, outputs: object) -> Tensor:
        """`outputs`, if they are float32 [n, num_outputs].

        Raises:
            PluginFailed: they are not.
        """
        if not isinstance(outputs, Tensor):
            raise self._failed(inputs, f"returned {type(outputs).__name__}, expected a tensor")
        expected = (len(inputs), self._num_outputs)
        if tuple(outputs.shape) != expected or outputs.dtype != torch.float32:
            said = f"returned {outputs.dtype} of shape {list(outputs.shape)}, expected torch.float32 of shape {list(expected)}"
            without_ones = tuple(size for size in expected if size != 1)
            is_squeezed = 1 in expected and tuple(outputs.shape) == without_ones
            hint = "; it drops dimensions of size 1: give squeeze() a dimension, or use flatten(1)" if is_squeezed else ""
            raise self._failed(inputs, said + hint)
        return outputs

    def _failed(self, inputs: Tensor, what: str) -> PluginFailed:
        mode = "train" if self._network.training else "eval"
        given = f"inputs of shape {list(inputs.shape)} in {mode} mode"
        return PluginFailed(f"{message_start(self.name)}for {given} its forward {what}", field="network")


def failed_in(network: nn.Module, error: BaseException) -> PluginFailed | None:
    """`error` as the plug-in's, if a hook or a backward pass of a plug-in's network raised it; else None.

    What torch calls there is the plug-in's where it is not torch's own; and what a whole backward pass goes through is the
    network's graph.
    """
    guard = network.__dict__.get("forward")
    if not isinstance(guard, GuardedForward) or isinstance(error, KeyboardInterrupt):
        return None
    at, is_backward = error.__traceback__, False
    while at is not None and at.tb_frame.f_code not in (_MODULE_CALL, _ENGINE):
        is_backward = is_backward or at.tb_frame.f_code is _BACKWARD
        at = at.tb_next
    if at is not None and (is_backward or passed_users_code(at)):
        what = "its backward pass" if at.tb_frame.f_code is _ENGINE else "a hook of it"
        return PluginFailed(f"{message_start(guard.name)}{what} {told(error)}", field="network")
    return None
